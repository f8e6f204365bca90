"""A chunk of raw columns into facts, and the rows that are refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import polars as pl

from graph.digest import digests
from graph.schema import KINDS
from loaders.accounts import Accounts
from loaders.amounts import amounts
from loaders.byte_streams import NUL
from loaders.cells import text
from loaders.chunks import REFUSED, Chunk
from loaders.fields import Field, Source
from loaders.identifiers import identifiers, kinds
from loaders.mapping import Bindings, Columns, Constant, Origin, used
from loaders.parsed import Fault, Parsed
from loaders.texts import choices, texts
from loaders.times import steps, times
from loaders.uids import uids

_LONGEST_SHOWN = 500


@dataclass(frozen=True)
class Rules:
    """How the cells of one load are read; the same for all its files."""

    source: Source
    source_name: str
    accounts: Accounts
    key: str
    masked: bool
    shift: int
    units: dict[str, str]
    """Unit of plain numbers by time field: s, ms, us or step."""
    units_given: bool
    """The user said the unit: any number is of it."""
    latest: datetime
    """Later than this is the far future."""
    stated_at: datetime | None
    """The time of rows whose file has no `at` column."""


@dataclass
class Facts:
    """The good rows of a chunk.

    `frame` has the kind's stored columns (accounts as places in `Rules.accounts`), `row`,
    `uid` (as first of its like in the file), and `id` and `text` (the whole row as text,
    null where an id makes the uid).
    """

    file: str
    frame: pl.DataFrame
    refused: pl.DataFrame
    read: int
    done_bytes: int


def parse(chunk: Chunk, bindings: Bindings, extra: list[str], rules: Rules) -> Facts:
    """Parse every field of a chunk; a row with a fault is refused with its first one.

    `extra`: columns that feed no field but are part of what makes a row itself.
    """
    height = chunk.frame.height
    parsed: dict[str, Parsed] = {}
    for field in rules.source.fields:
        if field.name in bindings:
            cells = _cells(bindings[field.name], chunk.frame, height)
            parsed[field.name] = _required(field, _field(field, cells, parsed, rules))
    refused = _refused(parsed, bindings, chunk.rows, rules)
    lines = _hidden_lines(chunk.refused, rules)
    frame = _stored(parsed, rules, height).with_columns(
        chunk.rows.alias("row"), *(chunk.frame[name].alias(f"+{name}") for name in extra)
    )
    if len(refused):
        frame = frame.join(refused.select("row"), on="row", how="anti", maintain_order="left")
    secret_id = _secret("id", bindings, rules) if "id" in bindings else False
    return Facts(
        chunk.file,
        uids(frame, extra, rules.source.kind, rules.source_name, rules, secret_id),
        pl.concat([lines, refused]).sort("row"),
        height + len(lines),
        chunk.done_bytes,
    )


def _cells(origin: Origin, frame: pl.DataFrame, height: int) -> pl.Series:
    if isinstance(origin, Constant):
        return pl.repeat(origin.value, height, dtype=pl.String, eager=True)
    if len(origin.names) == 1:
        return frame[origin.names[0]]
    return joined([frame[name] for name in origin.names])


def joined(parts: list[pl.Series]) -> pl.Series:
    """Columns joined by `+`; a `+` or backslash inside a part gets a backslash before it.

    Null where all parts are empty, so that different parts never make the same text.
    """
    raw = pl.DataFrame([text(part)[0].alias(str(place)) for place, part in enumerate(parts)])
    escaped = [pl.col(name).str.replace_all(r"([\\+])", r"\${1}") for name in raw.columns]
    return raw.select(
        pl.when(pl.any_horizontal(pl.all().is_not_null())).then(
            pl.concat_str([part.fill_null("") for part in escaped], separator="+")
        )
    ).to_series()


def _field(field: Field, cells: pl.Series, so_far: dict[str, Parsed], rules: Rules) -> Parsed:
    match field.type:
        case "account":
            return rules.accounts.parse(cells)
        case "amount":
            return amounts(cells, rules.shift)
        case "time":
            unit = rules.units.get(field.name)
            if unit == "step":
                return steps(cells)
            if field.event:
                return times(cells, unit, rules.latest, exact=rules.units_given)
            return times(cells, unit, exact=rules.units_given)
        case "choice":
            return choices(cells, field.choices)
        case "identifier_kind":
            return kinds(cells)
        case "identifier":
            return identifiers(cells, so_far["identifier_kind"].values, rules.key)
        case "text" | "id":
            return texts(cells)


def refusal(field: Field, value: str, rules: Rules) -> str | None:
    """Why a field would refuse this value; None when it would not.

    An identifier depends on its kind in the same row and is not judged here.
    """
    if field.type == "identifier":
        return None
    parsed = _required(field, _field(field, pl.Series([value]), {}, rules))
    return next((fault.reason for fault in parsed.faults if fault.mask.any()), None)


def _required(field: Field, parsed: Parsed) -> Parsed:
    if not field.may_be_empty:
        parsed.faults.append(Fault(parsed.values.is_null(), "is empty"))
    return parsed


def _stored(parsed: dict[str, Parsed], rules: Rules, height: int) -> pl.DataFrame:
    """The kind's stored columns in order, and `id`; what the file lacks is null or default."""
    stored = KINDS[rules.source.kind].columns
    columns: dict[str, pl.Series] = {}
    for field in rules.source.fields:
        is_step = field.event and rules.units.get(field.name) == "step"
        name = "step" if is_step else field.stored
        if field.name in parsed:
            columns[name] = parsed[field.name].values
        elif field.default is not None:
            columns[name] = pl.repeat(field.default, height, dtype=pl.String, eager=True)
    if rules.source.states and "at" not in parsed and rules.stated_at is not None:
        columns["at"] = pl.repeat(rules.stated_at, height, dtype=stored["at"], eager=True)
    missing = {
        name: pl.repeat(None, height, dtype=dtype, eager=True)
        for name, dtype in {**stored, "id": pl.String()}.items()
        if name not in columns
    }
    return pl.DataFrame(
        {
            name: {**columns, **missing}[name].cast(dtype)
            for name, dtype in {**stored, "id": pl.String()}.items()
        }
    )


def _refused(
    parsed: dict[str, Parsed], bindings: Bindings, rows: pl.Series, rules: Rules
) -> pl.DataFrame:
    """The first fault of every row that has one."""
    found = [
        _fault_rows(name, column, fault, bindings, rows, rules)
        for name, column in parsed.items()
        for fault in column.faults
        if fault.mask.any()
    ]
    if not found:
        return pl.DataFrame(schema=REFUSED)
    return pl.concat(found).unique("row", keep="first", maintain_order=True)


def _fault_rows(
    name: str, column: Parsed, fault: Fault, bindings: Bindings, rows: pl.Series, rules: Rules
) -> pl.DataFrame:
    where = fault.mask.fill_null(False).arg_true()
    values = column.raw.gather(where).cast(pl.String)
    if _secret(name, bindings, rules):
        values = hidden(values, rules.key)
    shown = column_of(name, bindings)
    return pl.DataFrame(
        {"row": rows.gather(where), "value": shorter(values)},
    ).select(
        pl.col("row").cast(pl.Int64),
        column=pl.lit(shown),
        value="value",
        reason=pl.lit(f"'{shown}' {fault.reason}"),
    )


def column_of(name: str, bindings: Bindings) -> str:
    """The column that feeds a field, as the file names it (several: joined by `+`); the field
    itself where it has no column."""
    origin = bindings.get(name)
    return "+".join(origin.names) if isinstance(origin, Columns) else name


def secret_columns(bindings: Bindings, rules: Rules) -> set[str]:
    """The file's columns that may not appear in plain anywhere."""
    secret = [
        {field.name: bindings[field.name]}
        for field in rules.source.fields
        if field.name in bindings
        and (field.type == "identifier" or (field.type == "account" and rules.masked))
    ]
    return set(chain.from_iterable(used(binding) for binding in secret))


def _secret(name: str, bindings: Bindings, rules: Rules) -> bool:
    field = rules.source.field(name)
    own = field.type == "identifier" or (field.type == "account" and rules.masked)
    return own or bool(used({name: bindings[name]}) & secret_columns(bindings, rules))


def _hidden_lines(refused: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Whole lines, hidden where they may hold an identifier or a masked id."""
    secret = rules.masked or any(field.type == "identifier" for field in rules.source.fields)
    values = hidden(refused["value"], rules.key) if secret else shorter(refused["value"])
    return refused.with_columns(value=values)


def hidden(values: pl.Series, key: str) -> pl.Series:
    """Values as digest and length, so that a list of refused rows reveals none."""
    return pl.select(
        pl.format("digest:{} length:{}", digests(values, key, "quarantine"), values.str.len_chars())
    ).to_series()


def shorter(values: pl.Series) -> pl.Series:
    """Values cut to what is worth showing."""
    return values.str.slice(0, _LONGEST_SHOWN).str.replace_all(NUL, "\ufffd", literal=True)
