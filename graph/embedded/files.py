"""The files of facts, compared with what was written: listed, there, as long, the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from graph.embedded.ledger import BatchSet, Ledger
from graph.embedded.seals import sha256_of
from graph.embedded.tables import DataFile, Table
from graph.errors import DamagedError
from graph.store import Tell, silent

ATTEMPTS = 5
"""How often files and digests are read until no compaction came between."""


@dataclass(frozen=True)
class Listing:
    """The files of a table at one moment, and the digests that the ledger has of them."""

    table: Table
    files: list[DataFile]
    sealed: Mapping[str, str]

    @classmethod
    def of(cls, table: Table, ledger: Ledger) -> Listing:
        """The files now. DamagedError where the table does not tell them."""
        sealed = _of_table(table, ledger.sealed_files())
        for _ in range(ATTEMPTS):
            files = table.files()
            before, sealed = sealed, _of_table(table, ledger.sealed_files())
            if before == sealed:
                break
        return cls(table, files, sealed)

    def seal(self, file: DataFile) -> str | None:
        """The digest that a file was written with; None where it was written before there were
        digests."""
        return self.sealed.get(self.table.place(file.path.name))

    def unsealed(self, committed: BatchSet) -> int:
        """How many files of committed loads have no digest."""
        return sum(self.seal(file) is None for file in self.shown(committed))

    def shown(self, committed: BatchSet) -> list[DataFile]:
        """The files with rows of committed loads."""
        return [file for file in self.files if committed.within(file.low, file.high)]

    def delisted(self) -> Iterator[str]:
        """Files that were written and that the table does not list."""
        listed = {self.table.place(file.path.name) for file in self.files}
        for place in sorted(self.sealed.keys() - listed):
            yield f"The table {self.table.folder} does not list its file {place} any more."

    def misplaced(self, committed: BatchSet) -> Iterator[str]:
        """Files that are missing or of another length: nothing is read for it."""
        for file in self.shown(committed):
            if not file.path.exists():
                yield f"The file {file.path} is missing."
            elif (size := file.path.stat().st_size) != file.bytes:
                yield (
                    f"The file {file.path} is damaged: {size} bytes where {file.bytes} were "
                    "written."
                )


def damage(table: Table, ledger: Ledger, committed: BatchSet, what: str, tell: Tell) -> list[str]:
    """Everything that is wrong with a table's files, one sentence each. Reads every byte."""
    try:
        listing = Listing.of(table, ledger)
    except DamagedError as error:
        return [error.sentence]
    problems = [*listing.delisted(), *listing.misplaced(committed)]
    if problems:
        return problems
    shown = listing.shown(committed)
    for number, file in enumerate(shown):
        tell(f"{number} of {len(shown)} files of {what} read")
        if fault := _fault(file, listing.seal(file)):
            problems.append(f"The file {file.path} is damaged: {fault}.")
    return problems


def refuse_damaged(table: Table, ledger: Ledger, tell: Tell = silent) -> None:
    """DamagedError where a file has another content than it was written with, or is not listed any
    more: its facts would just not be there. Files without a digest are not read."""
    hint = "Restore the store from a back-up; `inconcert store check` names all such files."
    listing = Listing.of(table, ledger)
    for problem in listing.delisted():
        raise DamagedError(problem, hint)
    for file in listing.files:
        seal = listing.seal(file)
        if seal and (fault := _fault(file, seal)):
            raise DamagedError(f"The file {file.path} is damaged: {fault}.", hint)
        tell(file.path.name)


def digests(table: Table, files: Iterable[DataFile]) -> dict[str, str]:
    """The digests of files as they are now, by their path below the store's folder."""
    return {table.place(file.path.name): sha256_of(file.path) for file in files}


def _of_table(table: Table, sealed: Mapping[str, str]) -> dict[str, str]:
    return {place: seal for place, seal in sealed.items() if place.startswith(table.place(""))}


def _fault(file: DataFile, seal: str | None) -> str | None:
    """What is wrong with a file's content, or None."""
    try:
        if seal is None:
            return _unreadable(file)
        found = sha256_of(file.path)
    except OSError as error:
        return str(error)
    if found == seal:
        return None
    return f"its content has the SHA-256 {found[:12]}… where {seal[:12]}… was written"


def _unreadable(file: DataFile) -> str | None:
    """Decodes every page: all that can be done for a file without a digest."""
    try:
        with pq.ParquetFile(file.path) as parquet:
            read = sum(batch.num_rows for batch in parquet.iter_batches(batch_size=1 << 17))
    except (OSError, pa.ArrowException) as error:
        return str(error).splitlines()[0].rstrip(".")
    return None if read == file.rows else f"{read} rows where {file.rows} were written"
