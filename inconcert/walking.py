"""A walk through the queue: one case at a time, a letter an action.

What was typed is kept until it is recorded: where an action is refused, its words are offered
again, and what stays unrecorded when a case is left is printed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import click

from graph.clock import now, parse_time
from graph.errors import InconcertError, UserError, on_one_line
from graph.log import Desk, Doc
from inconcert.reviewing import Queue
from reports.queue_text import case_page, show
from reports.wording import printable
from review import desk as at
from review import moves
from review.cases import CASE, MEMBERS
from review.clock import urgency
from review.page import page_of

MOST_MEMBERS = 20

UNCLAIMED = (moves.NEW, moves.TRIAGED, moves.REOPENED)


class _QuitError(Exception):
    """Enough, or the end of what is typed."""


def ask(question: str) -> str:
    """A line that is typed or piped. _QuitError at the end of it."""
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401  # a line can be edited from now on
        try:
            line = input(question)
        except EOFError:
            raise _QuitError from None
    else:
        click.echo(question)
        line = sys.stdin.readline()
        if not line:
            raise _QuitError
    return line.encode("utf-8", "replace").decode("utf-8").strip()


@dataclass(frozen=True)
class Key:
    """A letter that can be typed. `states`: where it can be; none named: everywhere."""

    name: str
    what: str
    act: Callable[[Walk], bool]
    """Does it; whether the case is left then."""
    states: tuple[str, ...] = ()
    letter: str = ""

    @property
    def typed(self) -> str:
        """The letter."""
        return self.letter or self.name[0]


@dataclass
class Walk:
    """Somebody's way through the queue."""

    queue: Queue
    levels: Sequence[str] = ()
    case: Doc = field(default_factory=dict)
    """The one that is looked at, as it was seen."""
    kept: str = ""
    """Words that were typed for it and are not recorded."""
    left: set[str] = field(default_factory=set)
    """Cases that do not come again."""
    shown: int = 0

    def go(self, named: Sequence[str] = ()) -> int:
        """Through the cases that are named, or the most urgent ones until none waits; how many
        were shown. RefusedError for somebody who may not decide about cases."""
        queue = self.queue
        queue.act(
            lambda _: queue.person.acting("work through the queue", "log", "investigator", "senior")
        )
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")  # what is no text must not end the walk
        ahead = list(named)
        with suppress(_QuitError):
            while key := (ahead.pop(0) if ahead else None if named else self._next()):
                self.left.add(key)
                self._visit(key)
        return self.shown

    def _next(self) -> str | None:
        """The most urgent case that this person can do something about."""
        me = self.queue.person.user
        waiting = [
            case
            for case in self.queue.cases()
            if case["id"] not in self.left
            and (not self.levels or case["level"] in self.levels)
            and (
                case["state"] in UNCLAIMED
                or (case["state"] in (moves.ASSIGNED, moves.IN_REVIEW) and case["owner"] == me)
                or (case["state"] == moves.PENDING and case["pending"]["by"] != me)
            )
        ]
        return min(waiting, key=urgency(self.queue.policy, now()))["id"] if waiting else None

    def _visit(self, key: str) -> None:
        """Claim a case where nobody has it, show it, and do what is typed until it is left.
        Where another was quicker, that is said."""
        log, person = self.queue.store.log, self.queue.person
        found = log.view(CASE, key)
        accounts = {
            one["account"] for one in (log.view(MEMBERS, key) or {"members": []})["members"]
        }
        if accounts & {person.user, *person.accounts}:
            click.echo(f"Case {key} has an account of your own: it is left to others.")
            return
        if found and moves.MOVES[found["state"]].get(moves.ASSIGNED) == "claim":
            try:
                self.queue.act(partial(at.claim, person=person, key=key))
            except UserError as error:
                _say_error(error)
                return
        self.kept = ""
        self.shown += 1
        self.look(key)
        try:
            while not self._step():
                pass
        finally:
            if self.kept:
                click.echo(f"Not recorded of case {key}: {on_one_line(self.kept)}")

    def look(self, key: str) -> None:
        """Show a case as it is now; that is what is acted on."""
        self.case = self.queue.act(lambda desk: at.look(desk, self.queue.person, key))
        show(case_page(page_of(self.queue.store, self.queue.policy, key), MOST_MEMBERS))

    def _step(self) -> bool:
        state = self.case["state"]
        keys = {key.typed: key for key in KEYS if not key.states or state in key.states}
        offered = "  ".join(f"{letter} {key.name}" for letter, key in keys.items())
        typed = ask(f"\nCase {self.case['id']}, {state}: {offered}\n> ").lower()
        found = keys.get(typed) or next((k for k in keys.values() if k.name == typed), None)
        if found is None:
            self._explain(typed, keys)
            return False
        try:
            return found.act(self)
        except at.StaleError as error:
            _say_error(error, hint=False)
            self.show_changes()
        except InconcertError as error:
            _say_error(error)
        if self.kept:
            click.echo("Your words are kept for the next try.")
        return False

    def _explain(self, typed: str, keys: dict[str, Key]) -> None:
        known = next((key for key in KEYS if typed in (key.typed, key.name)), None)
        if known and typed:
            states = " or ".join(known.states)
            click.echo(f"{known.name} is for a case that is {states}.")
        elif typed and typed != "?":
            click.echo(f"Nothing is called '{printable(typed)}' here.")
        for letter, key in keys.items():
            click.echo(f"  {letter}  {key.name:<13} {key.what}")

    def show_changes(self) -> None:
        """What happened to the case since it was looked at; from now on that is seen."""
        key, seen = self.case["id"], self.case["version"]
        self.case = self.queue.act(lambda desk: at.look(desk, self.queue.person, key))
        page = page_of(self.queue.store, self.queue.policy, key)
        for event in page["history"][seen:]:
            facts = "; ".join(
                f"{name} {value}" for name, value in event["facts"].items() if value is not None
            )
            words = f" “{printable(event['words'])}”" if event["words"] else ""
            who = printable(event["user"])
            click.echo(f"  {event['at']}  {who}  {event['action']}  {printable(facts)}{words}")
        click.echo("`p` shows the whole page.")

    def words(self, question: str) -> str | None:
        """Words for the case; those that a refused action had are offered again. None: none."""
        if self.kept:
            question += f" (Enter: “{on_one_line(self.kept)}”)"
        self.kept = ask(f"{question} ") or self.kept
        return self.kept or None

    def do(self, work: Callable[[Desk], Doc]) -> None:
        """One transaction on the case; what it is then was seen, and its words are recorded."""
        self.case = self.queue.act(work)
        self.kept = ""
        owner = f", {printable(self.case['owner'])}'s" if self.case.get("owner") else ""
        click.echo(f"Case {self.case['id']} is {self.case['state']}{owner}.")


def _say_error(error: InconcertError, *, hint: bool = True) -> None:
    click.echo(f"{error.sentence} {error.hint}" if error.hint and hint else error.sentence)


# What each key does


def _move(to: str, stays: bool, walk: Walk) -> bool:
    queue, case = walk.queue, walk.case
    walk.do(lambda desk: at.move(desk, queue.person, case["id"], to, queue.policy, case["version"]))
    return not stays


def _decide(
    walk: Walk, verdict: str, *, words: str | None, reason: str | None = None, of: str | None = None
) -> bool:
    queue, case = walk.queue, walk.case
    walk.do(
        partial(
            at.decide,
            person=queue.person,
            key=case["id"],
            verdict=verdict,
            reason=reason,
            words=words,
            of=of,
            seen=case["version"],
            fingerprint=queue.fingerprint,
        )
    )
    return True


def _with_words(verdict: str, walk: Walk) -> bool:
    return _decide(walk, verdict, words=walk.words(f"Why is it {verdict}?"))


def _refute(walk: Walk) -> bool:
    for name, what in moves.REASONS.items():
        click.echo(f"  {name:<12} {what}")
    typed = ask("For which reason? (Enter: none, back) ").lower()
    if not typed:
        return False
    found = [name for name in moves.REASONS if name.startswith(typed)]
    reason = typed if typed in moves.REASONS or len(found) != 1 else found[0]
    if reason not in moves.REASONS:
        raise UserError(f"'{typed}' is no reason of the list.")
    words = walk.words("In words?" if reason == "other" else "In words? (Enter: none)")
    return _decide(walk, "refuted", reason=reason, words=words)


def _duplicate(walk: Walk) -> bool:
    typed = ask("Of which case? (Enter: none, back) ")
    return bool(typed) and _decide(walk, "duplicate", of=walk.queue.find(typed), words=None)


def _snooze(walk: Walk) -> bool:
    typed = ask("Until when? (a date, or a number of days; Enter: back) ")
    if not typed:
        return False
    if typed.isascii() and typed.isdigit() and len(typed) < 5:
        until = now() + timedelta(days=int(typed))
    else:
        until = parse_time(typed)
    queue, case = walk.queue, walk.case
    walk.do(lambda desk: at.snooze(desk, queue.person, case["id"], until, case["version"]))
    return True


def _comment(walk: Walk) -> bool:
    said = walk.words("What is to be said?")
    if said is None:
        return False
    queue, seen, key = walk.queue, walk.case, walk.case["id"]

    def work(desk: Desk) -> Doc:
        before = desk.get(CASE, key)
        after = at.comment(desk, queue.person, key, said)
        known = before is not None and before["version"] == seen["version"]
        return after if known else seen  # what others did meanwhile is yet to be seen

    walk.do(work)
    return False


def _second(agrees: bool, walk: Walk) -> bool:
    said = walk.words("Words? (Enter: none)" if agrees else "Why do you object?")
    queue, case = walk.queue, walk.case
    walk.do(
        partial(
            at.second,
            person=queue.person,
            key=case["id"],
            agrees=agrees,
            words=said,
            seen=case["version"],
            fingerprint=queue.fingerprint,
        )
    )
    return True


def _page(walk: Walk) -> bool:
    walk.look(walk.case["id"])
    return False


def _quit(walk: Walk) -> bool:
    raise _QuitError


KEYS = (
    Key(
        "review",
        "begin the review",
        partial(_move, moves.IN_REVIEW, True),
        (moves.ASSIGNED, moves.AWAITING),
    ),
    Key(
        "confirm",
        "one will is at work; a second person is asked",
        partial(_with_words, "confirmed"),
        moves.REVIEWED,
    ),
    Key("refute", "it is innocent, for a reason of a list", _refute, moves.REVIEWED, "f"),
    Key(
        "inconclusive",
        "it cannot be told",
        partial(_with_words, "inconclusive"),
        moves.REVIEWED,
    ),
    Key("duplicate", "it doubles another case", _duplicate, (moves.ASSIGNED, moves.IN_REVIEW)),
    Key(
        "wait", "for the holder's answer", partial(_move, moves.AWAITING, False), (moves.IN_REVIEW,)
    ),
    Key("snooze", "put it aside until a time", _snooze, (moves.ASSIGNED, moves.IN_REVIEW)),
    Key(
        "back",
        "give it back to the queue",
        partial(_move, moves.TRIAGED, False),
        (moves.ASSIGNED, moves.IN_REVIEW),
    ),
    Key("agree", "to what is proposed", partial(_second, True), (moves.PENDING,)),
    Key("object", "to what is proposed", partial(_second, False), (moves.PENDING,)),
    Key("comment", "say something about it", _comment, letter="m"),
    Key("page", "show it again", _page),
    Key("next", "leave it as it is", lambda _: True),
    Key("quit", "leave it as it is, and the queue", _quit),
)
