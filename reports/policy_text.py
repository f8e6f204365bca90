"""A policy, what it changes and whom it would have touched, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.wording import counted, line_name, printable
from review.policy import Policy
from review.policy_changes import terms_text, time_text
from review.policy_check import ACTIONS
from review.policy_history import Entry
from review.policy_values import decimal, percent

Answer = dict[str, Any]

ACTION_STYLES = {"notice": "cyan", "letter": "bold yellow", "freeze": "bold red"}

EXPIRY = {
    "unfreeze_and_escalate": "unfreeze, and escalate",
    "escalate": "escalate; the freeze stays",
}
MIXING = {"pro_rata": "pro rata", "first_in_first_out": "first in, first out"}


def policy_page(entry: Entry, later: Sequence[Entry] = ()) -> RenderableType:
    """A policy with all it says, how it came into force, and what follows it."""
    policy = entry.policy
    return Stack(
        Text(f"{_number(entry)}: {printable(policy.name)}", style="bold"),
        _indented(Stack(*_origin(entry))),
        Text(""),
        Text("Rules", style="bold"),
        _indented(_rules(policy)),
        Text(""),
        Text("Levels", style="bold"),
        _indented(_levels(policy)),
        Text(""),
        *_rest(policy),
        *(
            Text(
                f"Policy {one.number} ({printable(one.policy.name)}) follows from "
                f"{time_text(one.policy.effective_from, one.policy)} on."
            )
            for one in later
        ),
    )


def changes(old: str, new: str, sentences: Sequence[str]) -> RenderableType:
    """What one policy changes of another. `old`, `new`: what they are called."""
    if not sentences:
        return Text(f"{new} says what {old} says.")
    return Stack(
        Text(f"{new} changes of {old}:", style="bold"),
        *(_indented(Text(printable(sentence))) for sentence in sentences),
    )


def simulation(answer: Answer) -> RenderableType:
    """Whom each line would have touched."""
    runs = answer["runs"]
    days = sorted(run["as_of"][:10] for run in runs)
    span = f"as of {days[0]}" if days[0] == days[-1] else f"as of {days[0]} to {days[-1]}"
    return Stack(
        Text(f"Over the line in {counted(len(runs), 'run')}, {span}", style="bold"),
        _indented(_touched(answer["rules"])),
        Text(""),
        *_remarks(answer),
    )


def _number(entry: Entry) -> str:
    return f"Policy {entry.number}" if entry.number else "The built-in policy"


def _origin(entry: Entry) -> Iterator[Text]:
    policy = entry.policy
    yield Text(f"sha256 {policy.sha256}")
    if entry.announced is None:
        yield Text("Nobody published it: it holds where no policy is in force.")
        return
    filed = f", filed at {printable(entry.filed)}" if entry.filed else ""
    yield Text(f"in force from {time_text(policy.effective_from, policy)} ({policy.time_zone})")
    yield Text(f"announced at {time_text(entry.announced, policy)}{filed}")
    how = "adopted, as in force before the store was made," if entry.origin == "adopted" else None
    yield Text(
        f"{how or 'published'} by {printable(entry.user)} at {entry.recorded_at} "
        f"(event {entry.event})"
    )


def _rules(policy: Policy) -> Table:
    table = _table("rule", "on", "line", "action", "holders", "terms")
    for rule in sorted(policy.rules, key=lambda one: (one.on, one.line, ACTIONS.index(one.action))):
        table.add_row(
            rule.id,
            f"{rule.on}s",
            percent(rule.line),
            Text(rule.action, style=ACTION_STYLES[rule.action]),
            ", ".join(rule.roles) or "all",
            terms_text(rule, policy),
        )
    return table


def _levels(policy: Policy) -> Table:
    table = _table("level", "review", "unfreeze", "disposition")
    for name in policy.by_severity():
        level = policy.levels[name]
        review = "–" if level.review_hours is None else f"{level.review_hours:g} h"
        unfreeze = f"{level.unfreeze_hours:g} h"
        table.add_row(name, review, unfreeze, printable(level.disposition))
    return table


def _rest(policy: Policy) -> Iterator[RenderableType]:
    clock, weights = policy.clock, policy.score.weights
    warn = " and ".join(f"{100 * part:g} %" for part in clock.warn_at) or "never"
    yield from _paragraph(
        "Clock",
        f"warnings: {warn} of the review time; at expiry: {EXPIRY[clock.at_expiry]}",
        f"for the holder's answer: {clock.waiting_hours:g} h",
    )
    yield from _paragraph(
        "Score",
        f"red from {policy.score.red_from:g} of 100",
        ", ".join(f"{name} {decimal(weight)}" for name, weight in weights.items()),
    )
    yield from _paragraph(
        "Also",
        f"points mix {MIXING[policy.purchases.mixing]}",
        f"a rule is announced {counted(policy.announce_days, 'day')} before it takes effect",
        f"a closed case is kept for {counted(policy.retention_days, 'day')}",
    )


def _paragraph(title: str, *lines: str) -> Iterator[RenderableType]:
    yield Text(title, style="bold")
    yield from (_indented(Text(line)) for line in lines)
    yield Text("")


def _touched(rules: Sequence[Answer]) -> Table:
    table = _table("rule", "on", "line", "action", "last run", "most in a run", "all runs")
    for row in sorted(rules, key=lambda one: (one["on"], one["line"])):
        last, most = row["last"], row["most"]
        if row["on"] == "account":
            figures = (str(last), str(most), counted(row["distinct"], "account"))
        else:
            now = (
                "–"
                if last is None
                else f"{last['groups']} ({counted(last['accounts'], 'account')})"
            )
            figures = (now, "–" if most is None else str(most), "–")
        table.add_row(
            row["rule"],
            f"{row['on']}s",
            line_name(row["line"]),
            Text(row["action"], style=ACTION_STYLES[row["action"]]),
            *figures,
        )
    return table


def _remarks(answer: Answer) -> Iterator[Text]:
    groups = [row for row in answer["rules"] if row["on"] == "group"]
    blind = sorted({row["line"] for row in groups if row["most"] is None}, reverse=True)
    if blind:
        asked = " ".join(f"--line {100 * line:.6g}%" for line in blind)
        yield Text(
            f"No run looked for groups at {' or '.join(map(line_name, blind))}: "
            f"`inconcert detect {asked}` does."
        )
    partly = [row for row in groups if row["most"] is not None and row["runs_that_did_not_look"]]
    for row in partly:
        runs = counted(row["runs_that_did_not_look"], "run")
        yield Text(f"{row['rule']}: {runs} did not look for groups at {line_name(row['line'])}.")
    last = [row["last"] for row in groups if row["last"]]
    found = sum(one["groups"] for one in last)
    if doubtful := found - sum(one["may_lead_to_an_order"] for one in last):
        are = "is an indication, which leads" if doubtful == 1 else "are indications, which lead"
        yield Text(
            f"Of the {counted(found, 'group')} of the last run {doubtful} {are} to no order."
        )
    yield Text("Each rule counts as if it had held at that time. Nothing is changed.")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        number = name in ("line", "review", "unfreeze", "last run", "most in a run", "all runs")
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    return table


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2))
