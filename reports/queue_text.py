"""The review queue as text: its table, a case's page, its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from graph.clock import parse_time
from reports.findings_text import GRADE_STYLES, finding, show
from reports.wording import amount_text, counted, line_name, percent, printable, rounded

Page = Mapping[str, Any]
Case = Mapping[str, Any]

LEVEL_STYLES = {"red": "bold red", "yellow": "bold yellow", "blue": "cyan"}

MOST_EVENTS = 30
MOST_ORDERS = 20
BAR = 24
"""Characters of the longest bar."""

__all__ = ["case_page", "filled_text", "queue_table", "show", "stats_table"]


def filled_text(run: str, cases: Mapping[str, int], orders: Mapping[str, int]) -> str:
    """What a run did to the queue, in a sentence or two."""
    if not cases:
        return f"Run {run} has no finding that a rule is about."
    said = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in sorted(cases.items()))
    sentences = [f"Run {run} is in the queue: {said}."]
    if orders:
        given = ", ".join(counted(count, action) for action, count in sorted(orders.items()))
        sentences.append(f"Ordered at once: {given} (`inconcert review orders`).")
    return " ".join(sentences)


def queue_table(cases: Sequence[Case], moment: datetime, of: int) -> RenderableType:
    """Cases in the order given, a row each. `of`: how many there are in all."""
    if not cases:
        return Text("No case waits.")
    table = _table()
    for name, right in (
        ("case", False),
        ("level", False),
        ("share", True),
        ("accounts", True),
        ("score", True),
        ("grade", False),
        ("state", False),
        ("whose", False),
        ("time left", True),
        ("last run", False),
    ):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for case in cases:
        table.add_row(
            case["id"],
            Text(case["level"], style=LEVEL_STYLES.get(case["level"], "")),
            percent(case["share"], case["line"]),
            f"{case['size']:,}",
            "–" if case["score"] is None else f"{case['score']:.1f}",
            Text(case["grade"], style=GRADE_STYLES.get(case["grade"], "")),
            _state_of(case),
            printable(case["owner"] or "–"),
            _left(case, moment),
            case["change"].replace("_", " "),
        )
    rest = f"… and {of - len(cases):,} more (--most)" if of > len(cases) else ""
    return Stack(table, Text(rest)) if rest else table


def _state_of(case: Case) -> Text:
    """Where a case stands, and what somebody should know of it before anything else."""
    marks = []
    if case.get("escalated") and case["state"] != "closed":
        marks.append(", escalated")
    if case.get("proposed"):
        marks.append(f", {case['proposed']}?")
    if case.get("void"):
        marks.append(", proposal void")
    return Text.assemble(case["state"], ("".join(marks), "bold red"))


def _left(case: Case, moment: datetime) -> Text:
    if "due" not in case:
        return Text("–")
    left = parse_time(case["due"]) - moment
    hours = abs(left) / timedelta(hours=1)
    if left <= timedelta(0):
        return Text(f"{hours:,.1f} h over", style="bold red")
    return Text(f"{hours:,.1f} h", style="bold yellow" if case.get("warned") else "")


def case_page(page: Page, most_members: int | None) -> RenderableType:
    """Everything about a case, as an investigator reads it."""
    case = page["case"]
    parts: list[RenderableType] = [_title(case), *_state(page)]
    if page["changed"]:
        parts += _changes(page["changed"])
    if page["finding"]:
        parts += [Text(""), finding(page["finding"], most_members)]
    else:
        parts += [Text(""), Text(printable(case["because"]))]
    parts += _flows(page["flows"])
    if page["flows_archived"]:
        parts += [Text(""), Text(printable(page["flows_archived"]))]
    parts += _score(page["score"])
    parts += _orders(page)
    parts += _history(page["history"])
    parts += [Text(""), Text("Questions to the holder", style="bold")]
    parts += [_indented(Text(question)) for question in page["questions"]]
    commands = sorted(set(page["may_become"].values()))
    parts += [
        Text(""),
        Text.assemble(("Next  ", "bold"), page["next"]),
        Text(f"Commands: {', '.join(f'inconcert review {one}' for one in commands)}"),
    ]
    return Stack(*parts)


def _title(case: Case) -> RenderableType:
    return Text.assemble(
        (f"Case {case['id']}", "bold"),
        "  ",
        (case["level"], LEVEL_STYLES.get(case["level"], "")),
        "  ",
        (case["grade"], GRADE_STYLES.get(case["grade"], "")),
        f"  {case['state']}",
    )


def _state(page: Page) -> Iterator[RenderableType]:
    case = page["case"]
    base = case["base"]
    whose = f"{printable(case['owner'])}'s" if case["owner"] else "nobody's yet"
    who = counted(case["size"], "account")
    held = percent(case["share"], case["line"])
    together = f"{who} hold {held} together" if case["size"] > 1 else f"{who} holds {held}"
    yield Text(
        f"{together}, at or over the line of {line_name(case['line'])} (rule {case['rule']})."
    )
    yield Text(
        f"Of {amount_text(base['supply'])} in all, as of {base['as_of']} ({base['rule']}); "
        f"run {case['run']}: {case['change'].replace('_', ' ')}."
    )
    yield Text(f"Opened {case['opened']}, version {case['version']}, {whose}.")
    if case["freeze"] != "none":
        spent = page["time_spent"]
        over = f", {spent:.0%} of the review time is over" if spent is not None else ""
        yield Text(f"Freeze: {case['freeze'].replace('_', ' ')}{over}.")
    if case.get("void"):
        yield Text(f"{printable(case['void'])} It is to be decided anew.", style="bold")
    if case.get("reopened_for"):
        yield Text(f"Opened again: {printable(case['reopened_for'])}")
    if "decision" in case:
        decision = case["decision"]
        second = f", seconded by {printable(decision['second'])}" if decision.get("second") else ""
        reason = f" ({decision['reason']})" if decision.get("reason") else ""
        yield Text(
            f"Decided: {decision['verdict']}{reason}, by {printable(decision.get('by', '?'))}"
            f"{second}, {decision['at']}."
        )


def _changes(changed: Mapping[str, Any]) -> Iterator[RenderableType]:
    before, after = changed["share"]
    said = [f"share {percent(before)} to {percent(after)}"]
    if changed["grade"][0] != changed["grade"][1]:
        said.append(f"{changed['grade'][0]} to {changed['grade'][1]}")
    for name in ("joined", "left"):
        if who := changed[name]:
            shown = ", ".join(map(printable, who[:5])) + (", …" if len(who) > 5 else "")
            said.append(f"{len(who)} {name} ({shown})")
    yield Text(f"Since run {changed['from_run']}: {'; '.join(said)}.")


def _flows(weeks: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """Payments by week, with a bar for those among members."""
    if not weeks:
        return
    yield Text("")
    yield Text("Payments by week", style="bold")
    table = _table()
    table.add_column("week of", no_wrap=True)
    for name in ("inside", "amount", "into it", "out of it"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("inside", no_wrap=True)
    most = max(week["inside"] for week in weeks) or 1
    for week in weeks:
        table.add_row(
            week["week"],
            f"{week['inside']:,}",
            rounded(float(week["inside_amount"])),
            f"{week['into']:,}",
            f"{week['out']:,}",
            "█" * round(BAR * week["inside"] / most),
        )
    yield _indented(table)


def _score(score: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    if not score:
        return
    yield Text("")
    red = "  red" if score["red"] else ""
    yield Text.assemble((f"Score {score['score']:.2f} of 100", "bold"), (red, "bold red"))
    table = _table()
    table.add_column("indicator", no_wrap=True)
    for name in ("percentile", "weight", "points"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("says")
    for one in score["indicators"]:
        percentile = one["percentile"]
        table.add_row(
            one["name"],
            "–" if percentile is None else f"{percentile:.1f}",
            f"{one['weight']:g}",
            f"{one['points']:.2f}",
            Text(printable(one["text"])),
        )
    yield _indented(table)
    yield _indented(Text("points = weight x percentile / 100; the score is their sum"))
    if genuine := score.get("genuine"):
        yield _indented(Text(printable(genuine["text"])))


def _orders(page: Page) -> Iterator[RenderableType]:
    orders = page["orders"]
    if not orders:
        return
    yield Text("")
    yield Text("Orders", style="bold")
    table = _table()
    for name in ("key", "action", "account", "given", "acknowledged"):
        table.add_column(name, no_wrap=True)
    for order in orders[-MOST_ORDERS:]:
        done = f"within {order['within_hours']:g} h" if order.get("within_hours") else "–"
        if "acknowledged" in order:
            done = order["acknowledged"] if order["done"] else f"not done, {order['acknowledged']}"
        row = (order["key"], order["action"], printable(order["account"]), order["at"], done)
        table.add_row(*row)
    yield _indented(table)
    if len(orders) > MOST_ORDERS:
        yield _indented(Text(f"… the last {MOST_ORDERS} of {len(orders):,}"))


def _history(history: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    yield Text("")
    yield Text("What happened", style="bold")
    grid = Table.grid(padding=(0, 2))
    for _ in range(3):
        grid.add_column(no_wrap=True)
    grid.add_column()
    for event in history[-MOST_EVENTS:]:
        facts = event["facts"]
        said = [
            f"{name} {printable(str(facts[name]))}"
            for name in ("change", "to", "verdict", "reason", "owner", "why", "key")
            if facts.get(name) not in (None, "")
        ]
        if "agrees" in facts:
            said.append("agrees" if facts["agrees"] else "objects")
        if event["words"]:
            said.append(f"“{printable(event['words'])}”")
        grid.add_row(event["at"], printable(event["user"]), event["action"], Text("; ".join(said)))
    yield _indented(grid)


def stats_table(answer: Mapping[str, Any]) -> RenderableType:
    """The queue in figures."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row("cases", f"{answer['cases']:,}, {answer['open']:,} of them open")
    for name, words in (
        ("by_state", "by state"),
        ("open_by_level", "open, by level"),
        ("by_verdict", "decided"),
        ("orders", "orders"),
    ):
        counts = answer[name]
        said = ", ".join(f"{counts[key]:,} {key.replace('_', ' ')}" for key in counts)
        grid.add_row(words, said or "none")
    hours = answer["hours_to_decide"]
    grid.add_row("overdue", f"{answer['overdue']:,}")
    grid.add_row("frozen", f"{answer['frozen']:,}")
    grid.add_row("hours to decide", "–" if hours is None else f"{hours:,.1f} (median)")
    return grid


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _indented(what: RenderableType, columns: int = 2) -> Padding:
    return Padding(what, (0, 0, 0, columns))
