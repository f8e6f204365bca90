"""A first load through `neo4j-admin database import full`: files for it, and what follows.

The files have accounts and facts as the Bolt path would write them. All else (batches,
supplies, properties, runs) is in them as text, which `store init` turns into what it is
once the server is up: by the same code that ends a restore.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from graph.backup import Backup, Progress, Record
from graph.backup_folder import run_line, run_of
from graph.errors import UserError
from graph.neo4j.backup import Span, finish
from graph.neo4j.columns import split_amounts
from graph.neo4j.lease import lease
from graph.neo4j.server import Server
from graph.neo4j.store import local_folder
from graph.schema import AMOUNT, KINDS, TIME, FactKind
from graph.store import PLAIN_FORMAT, Batch, RunRecord

SCRIPT = "import.sh"

SHAPES: dict[str, tuple[str, str | None]] = {
    "transfers": ("TRANSFERRED", None),
    "referrals": ("REFERRED", None),
    "sightings": ("SEEN_WITH", "Identifier"),
    "purchases": ("BOUGHT", "Purchase"),
    "holdings": ("HELD", "Holding"),
    "accounts": ("DESCRIBED", "Attribute"),
    "links": ("LINKED", None),
}
"""How each kind lies in the graph: a relationship, and the label of the node at its end
where that is no account."""

IDENTIFIER = ("identifier_kind", "digest")
PIECE = 100_000
"""Characters of a text in one field, which neo4j-admin must hold in its buffer of 4 MB."""

_TYPES: dict[pl.DataType, str] = {
    pl.String(): "string",
    pl.Int32(): "long",
    pl.Int64(): "long",
    pl.Float64(): "double",
    pl.Boolean(): "boolean",
    TIME: "datetime",
}
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.6fZ"


@dataclass(frozen=True)
class Imported:
    """What an import brings beside accounts and facts. `runs`: how many."""

    record: Record
    spans: dict[int, Span]
    next_seq: int
    runs: int


_IMPORTED = TypeAdapter(Imported)


@dataclass(frozen=True)
class Target:
    """What is imported into: a database, the prefix of its labels, the store's id there."""

    database: str
    prefix: str
    store_id: str


# -- writing the files --------------------------------------------------------------------


def write_files(
    backup: Backup, folder: Path, target: Target, progress: Progress = lambda done, note: None
) -> list[str]:
    """Write the files into a folder, and last the script that imports them; returns the
    words of the command. The folder must be there. UserError for a store with archived months:
    the files have no place for what it keeps of them."""
    if backup.record.archived:
        raise UserError(
            "Some months of this store are archived, and import files cannot carry what is kept "
            "of them.",
            "Bring them back first (`inconcert store unarchive`).",
        )
    with _Files(folder, target) as files:
        spans = _spans(backup.record)
        progress(0, "account numbers")
        spans = _write_accounts(files, backup.accounts(), spans)
        done = 0
        for kind in KINDS.values():
            for frame in _placed(backup.facts(kind.name), backup.record.loads(kind.name), spans):
                _WRITERS[kind.name](files, kind, frame)
                done += frame.height
                progress(done, kind.name)
        _write_texts(files, backup, spans)
        _write_single(files, target, backup.record)
    return _write_script(folder, files, target)


class _Files:
    """The files of an import: for each name a header and rows."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder = folder
        self.prefix = target.prefix
        self.options: list[str] = []
        self.many_lines = False
        self._open: dict[str, Any] = {}
        self.identifiers = _Identifiers()

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def write(self, name: str, option: str, word: str, frame: pl.DataFrame) -> None:
        """Add rows to a file. `option`: nodes or relationships; `word`: their label or type;
        column names are those of the header, without types where they have none."""
        if frame.is_empty():
            return
        if name not in self._open:
            header = ",".join(map(_heading, frame.columns, frame.dtypes))
            (self.folder / f"{name}-header.csv").write_text(header + "\n", encoding="utf-8")
            self._open[name] = (self.folder / f"{name}.csv").open("wb")
            self.options.append(f"--{option}={self.prefix}{word}={name}-header.csv,{name}.csv")
        texts = frame.select(pl.selectors.string())
        self.many_lines |= any(column.str.contains("[\r\n]").any() for column in texts)
        frame.write_csv(
            self._open[name],
            include_header=False,
            datetime_format=_TIME_FORMAT,
            quote_style="necessary",
        )


def _heading(name: str, dtype: pl.DataType) -> str:
    return name if ":" in name else f"{name}:{_TYPES[dtype]}"


def _spans(record: Record) -> dict[int, Span]:
    """Where each load's facts will be: load after load."""
    spans = {}
    place = 0
    for load in record.loads():
        spans[load.batch] = Span(place, place + load.counts.loaded, 0, 0)
        place += load.counts.loaded
    return spans


def _write_accounts(
    files: _Files, frames: Iterable[pl.DataFrame], spans: dict[int, Span]
) -> dict[int, Span]:
    """Writes the accounts; returns the spans with the numbers that each load met first."""
    numbers: dict[int, tuple[int, int]] = {}
    for frame in frames:
        files.write(
            "account-numbers",
            "nodes",
            "Account",
            frame.select(
                pl.col("ix").alias("ix:ID(account){id-type:long}"), id="account", batch="batch"
            ),
        )
        ends = frame.group_by("batch").agg(low=pl.col("ix").min(), high=pl.col("ix").max() + 1)
        for batch, low, high in ends.iter_rows():
            before = numbers.get(batch, (low, high))
            numbers[batch] = min(before[0], low), max(before[1], high)
    return {
        batch: Span(span.first_seq, span.end_seq, *numbers.get(batch, (0, 0)))
        for batch, span in spans.items()
    }


def _placed(
    frames: Iterable[pl.DataFrame], loads: list[Batch], spans: dict[int, Span]
) -> Iterator[pl.DataFrame]:
    """Adds `seq`: the rows come by batch, so that a row's place is its number among the
    kind's rows, moved by as much for all of its batch."""
    moved: dict[int, int] = {}
    before = 0
    for load in loads:
        moved[load.batch] = spans[load.batch].first_seq - before
        before += load.counts.loaded
    done = 0
    for frame in frames:
        numbers = pl.int_range(done, done + frame.height, dtype=pl.Int64)
        by_batch = pl.col("batch").replace_strict(moved, return_dtype=pl.Int64)
        yield frame.with_columns(seq=numbers + by_batch)
        done += frame.height


def _properties(kind: FactKind, frame: pl.DataFrame) -> pl.DataFrame:
    """A fact's properties as they stand in the graph, without its accounts."""
    columns = {name: t for name, t in kind.columns.items() if name not in kind.accounts}
    told = [frame[name] for name in ("uid", "revision", "batch", "seq")]
    for name, dtype in columns.items():
        if dtype == AMOUNT:
            number, exact = split_amounts(frame[name])
            told += [number.alias(name), exact.alias("exact")]
        else:
            told.append(frame[name])
    return pl.DataFrame(told)


def _between_accounts(files: _Files, kind: FactKind, frame: pl.DataFrame) -> None:
    one, other = kind.accounts
    ends = frame.select(
        pl.col(one).alias(":START_ID(account)"), pl.col(other).alias(":END_ID(account)")
    )
    word = SHAPES[kind.name][0]
    files.write(kind.name, "relationships", word, ends.hstack(_properties(kind, frame)))


def _nodes(files: _Files, kind: FactKind, frame: pl.DataFrame) -> None:
    word, label = SHAPES[kind.name]
    place = f"seq:ID({kind.name}){{id-type:long}}"
    files.write(kind.name, "nodes", str(label), _properties(kind, frame).rename({"seq": place}))
    ends = frame.select(
        pl.col(kind.accounts[0]).alias(":START_ID(account)"),
        pl.col("seq").alias(f":END_ID({kind.name})"),
    )
    files.write(f"{kind.name}-ends", "relationships", word, ends)


def _sightings(files: _Files, kind: FactKind, frame: pl.DataFrame) -> None:
    """Each identifier is one node; one that lacks its kind or its digest is nobody else's."""
    whole = pl.all_horizontal(pl.col(IDENTIFIER).is_not_null())
    named, bare = frame.filter(whole), frame.filter(~whole)
    new, numbers = files.identifiers.number(named.select(IDENTIFIER))
    identifiers = new.select(pl.col("number").alias(":ID(identifier)"), *IDENTIFIER)
    files.write("identifiers", "nodes", "Identifier", identifiers)
    _seen(files, kind, named, numbers, "identifier", "sightings")
    own = bare.select(pl.col("seq").alias(":ID(bare)"), *IDENTIFIER)
    files.write("identifiers-bare", "nodes", "Identifier", own)
    _seen(files, kind, bare, bare["seq"], "bare", "sightings-bare")


def _seen(
    files: _Files, kind: FactKind, frame: pl.DataFrame, ends: pl.Series, space: str, name: str
) -> None:
    start = frame["account"].alias(":START_ID(account)")
    told = _properties(kind, frame).drop(IDENTIFIER)
    columns = [start, ends.alias(f":END_ID({space})"), *told.get_columns()]
    files.write(name, "relationships", "SEEN_WITH", pl.DataFrame(columns))


class _Identifiers:
    """Numbers identifiers as they are met."""

    def __init__(self) -> None:
        schema = dict.fromkeys(IDENTIFIER, pl.String()) | {"number": pl.Int64()}
        self._known = pl.DataFrame(schema=schema)

    def number(self, wanted: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """Those not met before, with their `number`; and the number of each wanted row."""
        strangers = wanted.unique().join(self._known, on=IDENTIFIER, how="anti")
        first = self._known.height
        numbers = pl.int_range(first, first + strangers.height, dtype=pl.Int64)
        new = strangers.with_columns(number=numbers)
        self._known = pl.concat([self._known, new], rechunk=True)
        found = wanted.join(self._known, on=IDENTIFIER, how="left", maintain_order="left")
        return new, found["number"]


_WRITERS = {
    "transfers": _between_accounts,
    "referrals": _between_accounts,
    "links": _between_accounts,
    "sightings": _sightings,
    "purchases": _nodes,
    "holdings": _nodes,
    "accounts": _nodes,
}


def _write_texts(files: _Files, backup: Backup, spans: dict[int, Span]) -> None:
    """What is neither account nor fact, as text in pieces: the runs from 1 on, the rest 0."""
    runs = 0
    for runs, run in enumerate(backup.runs(), start=1):
        _write_text(files, runs, run_line(run))
    imported = Imported(backup.record, spans, backup.record.rows, runs)
    _write_text(files, 0, _IMPORTED.dump_json(imported).decode())


def _write_text(files: _Files, number: int, text: str) -> None:
    pieces = [text[begin : begin + PIECE] for begin in range(0, len(text), PIECE)]
    frame = pl.DataFrame({"place": range(len(pieces)), "text": pieces})
    files.write(
        "texts",
        "nodes",
        "Imported",
        frame.select(pl.lit(number).cast(pl.Int64).alias("number"), "place", "text"),
    )


def _write_single(files: _Files, target: Target, record: Record) -> None:
    """The nodes that there is one of: they say that this is a store, not yet ready."""
    store = {
        "single": 1,
        "id": target.store_id,
        "format": PLAIN_FORMAT,
        "key_fingerprint": record.properties.key_fingerprint,
        "ready": False,
    }
    files.write("store", "nodes", "Store", pl.DataFrame([store]))
    loader = {"single": 1, "fence": 0, "next_seq": record.rows, "next_ix": record.next_ix}
    files.write("loader", "nodes", "Loader", pl.DataFrame([loader]))


def _write_script(folder: Path, files: _Files, target: Target) -> list[str]:
    # the database in front: what takes lists of files would take it for one
    words = ["database", "import", "full", target.database]
    options = [
        "--overwrite-destination",
        "--id-type=integer",
        "--bad-tolerance=0",
        *(["--multiline-fields=true"] if files.many_lines else []),
        *files.options,
    ]
    script = folder / SCRIPT
    lines = " \\\n  ".join([shlex.join(words), *map(shlex.quote, options)])
    script.write_text(
        "#!/bin/sh\n"
        f"# Replaces all that is in the database '{target.database}' of a Neo4j server that is\n"
        "# stopped. Run it as the user that the server runs as.\n"
        'cd "$(dirname "$0")" || exit 1\n'
        f'exec "${{INCONCERT_NEO4J_ADMIN:-neo4j-admin}}" {lines} "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o700)
    return [*words, *options]


# -- after the import ---------------------------------------------------------------------


def finish_import(server: Server, node: dict[str, Any]) -> None:
    """Turn the texts of an import into batches, supplies and runs: it is a store then."""
    imported = _IMPORTED.validate_json(_text(server, 0))
    with lease(server, "finishing an import") as held:
        saved = (_run(server, number) for number in range(1, imported.runs + 1))
        finish(held, imported.record, imported.spans, imported.next_seq, saved)
        held.transact(
            lambda run: (run("store/imported_clear", {}), run("store/restore_end", {})),
            repeatable=True,
        )
    finished(node["id"]).touch()


def finished(store_id: str) -> Path:
    """A file on this machine that says that a store's import was finished from here."""
    folder = local_folder(store_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / "imported"


def _run(server: Server, number: int) -> RunRecord:
    return run_of(_text(server, number))


def _text(server: Server, number: int) -> str:
    return "".join(row["text"] for row in server.read("store/imported_text", number=number))
