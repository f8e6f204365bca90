"""Orders out and back: which ones wait, as the platform gets them, and what it answers.

An answer is a line of JSON: `{"key": "…", "done": true, "at": "2026-03-01T12:00:00Z"}`; `at`
(when it was done) may be left out, other fields are ignored. All lines of a file are one
transaction: a wrong one is named, and nothing of the file is recorded then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.clock import parse_time
from graph.errors import UserError
from graph.log import Desk, Doc
from review.cases import ORDER
from review.desk import acknowledge
from review.people import Person, RefusedError

FIELDS = ("key", "action", "account", "case", "rule", "policy", "at")
"""What an order says, in this order."""

BECAME = ("sent", "done", "acknowledged")
"""What has become of it; null where nothing has."""


def as_given(order: Doc, *, became: bool = False) -> dict[str, Any]:
    """An order as it is given out. `became`: with what has become of it."""
    said = {name: order[name] for name in FIELDS}
    return {**said, **{name: order.get(name) for name in BECAME}} if became else said


def given(
    orders: Iterable[Doc],
    *,
    answered: bool = False,
    action: str | None = None,
    case: str | None = None,
) -> list[Doc]:
    """Orders, oldest first; of one moment a freeze comes before its lifting. `answered`: those
    that were acknowledged too."""
    found = [
        order
        for order in orders
        if (answered or "acknowledged" not in order)
        and (action is None or order["action"] == action)
        and (case is None or order["case"] == case)
    ]
    return sorted(found, key=_place)


def _place(order: Doc) -> tuple[Any, ...]:
    lifts = order["action"] == "unfreeze"
    return (parse_time(order["at"]), order["case"], lifts, order["account"], order["key"])


@dataclass(frozen=True)
class Answer:
    """What the platform says of an order. `line`: of the file, the first is 1."""

    line: int
    key: str
    done: bool
    at: datetime | None


def read_answers(text: bytes) -> list[Answer]:
    """The answers in a file. UserError that names the first wrong line."""
    found = []
    for line, content in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if content.strip():
            try:
                found.append(_answer(line, content))
            except UserError as error:
                raise _of_line(line, error) from None
    return found


def _answer(line: int, content: bytes) -> Answer:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        raise UserError("it is not JSON.", _HINT) from None
    if not isinstance(said, Mapping):
        raise UserError("it is no JSON object.", _HINT)
    key, done, at = said.get("key"), said.get("done"), said.get("at")
    if not isinstance(key, str) or not key:
        raise UserError("it has no key of an order.", _HINT)
    if not isinstance(done, bool):
        raise UserError("'done' is neither true nor false.", _HINT)
    if at is not None and not isinstance(at, str):
        raise UserError("'at' is no time.", _HINT)
    return Answer(line, key, done, None if at is None else parse_time(at))


def record_answers(desk: Desk, person: Person, answers: Iterable[Answer]) -> int:
    """Record what was answered; how many of the answers were new. UserError that names the line
    of an order that there is not, that was answered otherwise, or whose time cannot be."""
    return sum(_recorded(desk, person, answers))


def _recorded(desk: Desk, person: Person, answers: Iterable[Answer]) -> Iterator[bool]:
    for one in answers:
        known = desk.get(ORDER, one.key) if one.key.isascii() else None
        try:
            if known is None:
                raise UserError(f"There is no order with the key '{one.key}'.")
            acknowledge(desk, person, one.key, one.done, one.at)
        except RefusedError:
            raise
        except UserError as error:
            raise _of_line(one.line, error) from None
        yield "acknowledged" not in known


_HINT = 'A line is {"key": "…", "done": true}, with "at" where another time than now is meant.'


def _of_line(line: int, error: UserError) -> UserError:
    hint = f"{error.hint} " if error.hint else ""
    return UserError(f"Line {line}: {error.sentence}", f"{hint}Nothing was recorded.")
