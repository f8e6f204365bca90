"""Every Cypher statement, one named file each, in folders by use.

`schema/` makes the constraints and indexes, `store/` is what the program runs, `explore/`
are saved queries for people, `bench/` is what is measured beside, `guides/` and `style.grass`
are for Neo4j Browser. A statement takes parameters only. It begins with three lines of comment:

    // About: what it does, in a sentence.
    // Parameters: low (integer), high (integer)
    // Rows: seq (list of integer)

Saved queries with parameters have a line more for each, as it is typed in Neo4j Browser:

    // Example: :param group => 'd73645a0c1f2'

Where a database is shared with others, a prefix stands before every label, relationship
type and schema name: `statement(name, "Team")` turns `:Account` into `:TeamAccount`.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent

LABELS = (
    "Account",
    "Identifier",
    "Purchase",
    "Holding",
    "Attribute",
    "Batch",
    "Supply",
    "Store",
    "Loader",
    "Imported",
    "Run",
    "Result",
    "Group",
    "Draft",
    "Log",
    "Event",
    "Words",
    "View",
    "Case",
    "Archive",
    "Kept",
)
TYPES = (
    "TRANSFERRED",
    "REFERRED",
    "SEEN_WITH",
    "LINKED",
    "BOUGHT",
    "HELD",
    "DESCRIBED",
    "HAS_RESULT",
    "CURRENT",
    "FOUND",
    "INSIDE",
    "INCLUDES",
    "ACTS_WITH",
    "OF",
    "SAID",
    "ABOUT",
    "KEEPS",
)

_WORD = re.compile(rf"([:|&!(]\s*)({'|'.join(LABELS + TYPES)})\b")
_SCHEMA_NAME = re.compile(r"\b(CONSTRAINT|INDEX) (\w+) (?=IF NOT EXISTS)")
_HEADER = re.compile(r"// (About|Parameters|Rows): (.*(?:\n//  .*)*)")
_EXAMPLE = re.compile(r"^// Example: (:param .+)$", re.MULTILINE)
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


@dataclass(frozen=True)
class Statement:
    """A statement and what its header says of it."""

    name: str
    text: str
    """With its header: the server's query log then says what each statement is for."""
    about: str
    parameters: str
    rows: str
    examples: tuple[str, ...] = ()
    """What sets its parameters in Neo4j Browser, one line a parameter."""


@functools.cache
def statement(name: str, prefix: str = "") -> Statement:
    """The statement in `<name>.cypher` (such as "store/read_transfers").

    Raises FileNotFoundError for an unknown name, ValueError for a file without its header
    or a prefix that is none.
    """
    text = (FOLDER / f"{name}.cypher").read_text(encoding="utf-8").strip()
    header = {word: " ".join(said.split("\n//  ")) for word, said in _HEADER.findall(text)}
    if set(header) != {"About", "Parameters", "Rows"}:
        raise ValueError(f"{name}.cypher lacks a line of its header")
    return Statement(
        name,
        prefixed(text, prefix),
        header["About"],
        header["Parameters"],
        header["Rows"],
        tuple(_EXAMPLE.findall(text)),
    )


def prefixed(text: str, prefix: str) -> str:
    """The text of a statement with a prefix before its labels, types and schema names."""
    if not prefix:
        return text
    if not is_prefix(prefix):
        raise ValueError(f"{prefix!r} is no prefix of labels")
    text = _WORD.sub(rf"\g<1>{prefix}\g<2>", text)
    return _SCHEMA_NAME.sub(rf"\g<1> {prefix}_\g<2> ", text)


def is_prefix(text: str) -> bool:
    """Whether a text can stand before a label: a letter, then letters, digits or `_`."""
    return _PREFIX.fullmatch(text) is not None


def names(folder: str) -> list[str]:
    """The names of all statements in a folder, such as "explore"."""
    return sorted(f"{folder}/{path.stem}" for path in (FOLDER / folder).glob("*.cypher"))
