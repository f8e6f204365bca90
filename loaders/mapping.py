"""Which column of a file feeds which field: `--map`, and fields' own names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graph.errors import UserError
from loaders.fields import Field, Source


@dataclass(frozen=True)
class Constant:
    """The same value in every row: `--map identifier_kind==device`."""

    value: str


@dataclass(frozen=True)
class Columns:
    """One column of the file, or several joined: `--map id=tx_hash+token_id`."""

    names: tuple[str, ...]


Origin = Constant | Columns
Bindings = dict[str, Origin]
"""Field name → where its cells come from. Fields that the file does not have are left out."""


def parse_map(texts: Iterable[str], source: Source) -> dict[str, str]:
    """`--map` arguments as field → what stands after the first `=`.

    UserError for an unknown field (the nearest is named), a field given twice, bad form.
    """
    wanted: dict[str, str] = {}
    for text in texts:
        for part in re.split(r",(?=\s*\w+\s*=)", text):
            name, equals, column = part.strip().partition("=")
            name = name.strip()
            if not equals or not column.strip():
                raise UserError(
                    f"'{part}' is no mapping.", "Write --map field=column or --map field==value."
                )
            if name not in source.names:
                raise UserError(
                    f"{source.kind.capitalize()} have no field '{name}'.",
                    _nearest(name, source.names) or f"The fields are {', '.join(source.names)}.",
                )
            if name in wanted:
                raise UserError(f"The field '{name}' is mapped twice.")
            wanted[name] = column
    return wanted


def bind(source: Source, wanted: dict[str, str], file: str, columns: Sequence[str]) -> Bindings:
    """Where each field's cells come from in this file.

    UserError when a mapped column is not there (the nearest is named) or a required field
    has no column (what is there is named, with the `--map` to try).
    """
    bindings: Bindings = {}
    for field in source.fields:
        if field.name in wanted:
            bindings[field.name] = _origin(wanted[field.name], field, file, columns)
        elif field.name in columns:
            bindings[field.name] = Columns((field.name,))
    missing = [f for f in source.fields if f.required and f.name not in bindings]
    if missing:
        raise _missing(missing, file, columns)
    return bindings


def used(bindings: Bindings) -> set[str]:
    """The columns that feed a field."""
    return {
        name for origin in bindings.values() if isinstance(origin, Columns) for name in origin.names
    }


def _origin(text: str, field: Field, file: str, columns: Sequence[str]) -> Origin:
    if text.startswith("="):
        if field.type == "id":
            raise UserError("An id cannot be the same for every row.")
        return Constant(text[1:])
    name = text.strip()
    if name in columns:
        return Columns((name,))
    names = tuple(part.strip() for part in name.split("+"))
    for part in names:
        if part not in columns:
            raise UserError(
                f"'{file}' has no column '{part}'.",
                _nearest(part, columns) or f"It has {_list(columns)}.",
            )
    return Columns(names)


def _missing(missing: list[Field], file: str, columns: Sequence[str]) -> UserError:
    names = " or ".join(f"'{field.name}'" for field in missing)
    pairs = ",".join(f"{field.name}={_guess(field, columns)}" for field in missing)
    return UserError(
        f"'{file}' has no column {names}; it has {_list(columns)}.",
        f"Say which column it is: --map {pairs}",
    )


def _guess(field: Field, columns: Sequence[str]) -> str:
    by_lower = {column.lower(): column for column in reversed(columns)}
    for alias in (field.name, *field.aliases):
        if alias.lower() in by_lower:
            return by_lower[alias.lower()]
    return "COLUMN"


def _nearest(name: str, names: Sequence[str]) -> str | None:
    by_lower = {other.lower(): other for other in names}
    near = difflib.get_close_matches(name.lower(), list(by_lower), 1)
    return f"Did you mean '{by_lower[near[0]]}'?" if near else None


def _list(columns: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(columns[:most]) or "no columns"
    return shown + (f" and {len(columns) - most} more" if len(columns) > most else "")
