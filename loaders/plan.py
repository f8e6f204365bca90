"""What a load will do, settled before anything is written: columns, units, checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from graph.clock import now
from graph.errors import UserError
from graph.store import Store
from loaders.accounts import Accounts
from loaders.chunks import Reader
from loaders.fields import Source
from loaders.mapping import Bindings, Constant, bind, parse_map, used
from loaders.parsing import Rules, refusal
from loaders.times import UNIT_NAMES, Survey

FUTURE = timedelta(days=1)
"""How far after now a time may lie: clocks and zones differ."""


@dataclass(frozen=True)
class Options:
    """What the user asks of a load, as the contract names it."""

    map: tuple[str, ...] = ()
    source: str | None = None
    distinct: bool = False
    dry_run: bool = False
    correct: bool = False
    lower: bool = False
    shift: int = 0
    time_unit: str | None = None
    at: datetime | None = None
    complete: bool = False


@dataclass(frozen=True)
class InputFile:
    """One input file, and what of it is read for what."""

    reader: Reader
    bindings: Bindings
    columns: list[str]
    """What is read."""
    extra: list[str]
    """Columns that feed no field but are part of what makes a row itself."""
    ignored: list[str]
    """Columns that feed no field."""


@dataclass(frozen=True)
class Plan:
    """Every file with what is read of it, and how cells are read."""

    files: list[InputFile]
    rules: Rules
    options: Options


def plan(
    store: Store,
    source: Source,
    readers: Sequence[Reader],
    options: Options,
    say: Callable[[str], None],
) -> Plan:
    """Look into every file and settle how it will be read.

    Raises UserError for options that cannot be, and DamagedError for a file that is not
    what it says, before the store is touched.
    """
    _refuse_misplaced(source, options)
    files = _files(readers, source, options)
    _refuse_undated_ids(source, files, options)
    _say_ignored(files, say)
    rules = _rules(store, source, files, options, say)
    _refuse_bad_constants(source, files, rules)
    return Plan(files, rules, options)


def _refuse_misplaced(source: Source, options: Options) -> None:
    if (options.at or options.complete) and not source.states:
        option = "--at" if options.at else "--complete"
        raise UserError(f"{option} is for holdings.", f"{source.kind} have times of their own.")
    name = options.source
    if name is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise UserError(
            f"'{name}' cannot name a source.", "Use up to 64 letters, digits, '.', '_' and '-'."
        )
    if not 0 <= options.shift <= 38:
        raise UserError(f"--shift {options.shift} is not between 0 and 38.")


def _refuse_undated_ids(source: Source, files: Sequence[InputFile], options: Options) -> None:
    """A row known by its id keeps its old time; a complete list of now would leave it out."""
    undated = [f for f in files if "id" in f.bindings and "at" not in f.bindings]
    if source.states and options.complete and options.at is None and undated:
        raise UserError(
            f"'{undated[0].reader.name}' has ids but no times, so it cannot be --complete.",
            "Say when it is complete: --at TIME.",
        )


def _files(readers: Sequence[Reader], source: Source, options: Options) -> list[InputFile]:
    """What is read of each file; every file is looked into, so a damaged one stops all."""
    wanted = parse_map(options.map, source)
    files = []
    for reader in readers:
        names = list(reader.columns())
        bindings = bind(source, wanted, reader.name, names)
        taken = used(bindings)
        others = [name for name in names if name not in taken]
        # With an id the other columns say nothing about which fact a row is.
        extra = [] if "id" in bindings else others
        columns = [name for name in names if name in taken or name in extra]
        files.append(InputFile(reader, bindings, columns, extra, others))
    return files


def _refuse_bad_constants(source: Source, files: Sequence[InputFile], rules: Rules) -> None:
    """A constant that is refused would refuse every row."""
    constants = {
        name: origin
        for file in files
        for name, origin in file.bindings.items()
        if isinstance(origin, Constant)
    }
    for name, origin in constants.items():
        reason = refusal(source.field(name), origin.value, rules)
        if reason:
            raise UserError(f"--map {name}=={origin.value}: '{origin.value}' {reason}.")


def _say_ignored(files: Sequence[InputFile], say: Callable[[str], None]) -> None:
    ignored = list(dict.fromkeys(name for file in files for name in file.ignored))
    if ignored:
        say(f"Ignored {'columns' if len(ignored) > 1 else 'column'}: {', '.join(ignored)}.")


def _rules(
    store: Store,
    source: Source,
    files: Sequence[InputFile],
    options: Options,
    say: Callable[[str], None],
) -> Rules:
    moment = now()
    masked = store.properties.masked
    return Rules(
        source=source,
        source_name=options.source or source.kind,
        accounts=Accounts(options.lower, store.key if masked else None),
        key=store.key,
        masked=masked,
        shift=options.shift,
        units=_units(source, files, options, say),
        units_given=options.time_unit is not None,
        latest=moment + FUTURE,
        stated_at=options.at or moment,
    )


def _units(
    source: Source, files: Sequence[InputFile], options: Options, say: Callable[[str], None]
) -> dict[str, str]:
    """The unit of plain numbers by time field: as told, else from all values of the column."""
    units: dict[str, str] = {}
    for field_ in source.fields:
        bound = [file for file in files if field_.name in file.bindings]
        if field_.type != "time" or not bound:
            continue
        if options.time_unit is not None and (field_.event or options.time_unit != "step"):
            units[field_.name] = options.time_unit
            continue
        survey, shown = Survey(), field_.name
        for file in bound:
            origin = file.bindings[field_.name]
            if isinstance(origin, Constant):
                survey.add(pl.Series([origin.value]))
                continue
            shown = "+".join(origin.names)
            _survey(survey, file.reader, origin.names)
        unit = survey.unit(shown)
        if unit is not None:
            units[field_.name] = unit
            say(f"Numbers in '{shown}' are read as {UNIT_NAMES[unit]}; see --time-unit.")
    return units


def _survey(survey: Survey, reader: Reader, names: tuple[str, ...]) -> None:
    dtypes = reader.columns()
    if len(names) > 1 or dtypes[names[0]].is_temporal():
        return
    for chunk in reader.chunks(names):
        survey.add(chunk.frame[names[0]])
