"""What a holder is told, and what an appeal changes, as text for laypeople."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.findings_text import show, to_text
from reports.wording import amount_text, bits_text, counted, line_name, percent, printable

Doc = Mapping[str, Any]

STEPS = {
    "found": "as found",
    "corrected": "with corrected holdings",
    "explained": "with the explanation",
    "without": "without the account",
}

PAGE_WIDTH = 100

__all__ = ["answered_text", "as_text", "comparison", "page_text", "show"]


def as_text(what: RenderableType) -> str:
    """For a file or a letter."""
    return to_text(what, PAGE_WIDTH)


def page_text(page: Doc) -> RenderableType:
    """Everything that one holder may be told."""
    parts: list[RenderableType] = [
        Text(f"Case {page['case']}: account {printable(page['account'])}", style="bold"),
        Text(""),
        Text(_own(page)),
    ]
    if page["group"]:
        parts.append(Text(_together(page)))
    parts += [Text(page["rule"]["text"] + f" (Rule {page['rule']['id']}.)"), Text(page["state"])]
    parts += _section("Why", page["reasons"])
    if page["doubts"]:
        parts += _section("What may explain it, and is open", page["doubts"])
    parts += _section("What was ordered for your account", list(_orders(page)))
    parts += _section("How to appeal", list(_appeal(page)))
    parts += _section("What you will be asked", page["questions"])
    return Stack(*parts)


def _own(page: Doc) -> str:
    own, base = page["own"], page["base"]
    return (
        f"As of {page['as_of']} your account held {amount_text(own['holdings'])}, "
        f"{percent(own['share'], page['rule']['line'])} of {amount_text(base['supply'])} in all "
        f"({base['text']})."
    )


def _together(page: Doc) -> str:
    group, line = page["group"], page["rule"]["line"]
    others = counted(group["others"], "other account")
    if group["share"] is None:
        return (
            f"It is seen as acting with {others}; together you hold {line_name(line)} of all or "
            "more."
        )
    return (
        f"It is seen as acting with {others} who hold {percent(group['others_share'])} together; "
        f"with yours that is {percent(group['share'], line)}."
    )


def _orders(page: Doc) -> Iterator[str]:
    if not page["orders"]:
        yield "Nothing."
    for order in page["orders"]:
        done = "not carried out yet"
        if order["done"] is not None:
            how = "carried out" if order["done"] else "not carried out"
            done = f"{how} at {order['done_at']}"
        yield f"{order['at']}: {order['text']} ({order['action']}; {done})."
    if reviewed_by := page["clock"]["reviewed_by"]:
        yield f"The freeze is reviewed by {reviewed_by}."


def _appeal(page: Doc) -> Iterator[str]:
    appeal = page["appeal"]
    if appeal["until"]:
        yield f"Answer by {appeal['until']}. An answer that comes later is looked at too."
    else:
        yield "You may answer at any time, also after it was decided."
    yield f"Name case {page['case']} and your account, and bring what you have of these:"
    for what in appeal["bring"]:
        yield f"- {what}"
    yield "Your figures are worked out anew with what you bring; you are told what comes of it."
    for one in appeal["of_yours"]:
        outcome = f"it was {one['outcome']}" if one["outcome"] else "it is not answered yet"
        yield f"Your appeal {one['number']} of {one['at']}: {outcome}."


def _section(title: str, sentences: Sequence[str]) -> Iterator[RenderableType]:
    yield Text("")
    yield Text(title, style="bold")
    for sentence in sentences:
        yield Padding(Text(sentence), (0, 0, 0, 2))


def comparison(document: Doc) -> RenderableType:
    """Before and after of an appeal, side by side."""
    before, after = document["figures"]
    account = printable(document["account"])
    parts: list[RenderableType] = [
        Text(f"Appeal of {account} in case {document['case']}", style="bold"),
        Text(
            f"As of {document['as_of']}, as known at batch {document['known_at']} (run "
            f"{document['run']})."
        ),
        _table(
            [f"account {account}", "before", "after"],
            [
                ["holds", *(amount_text(one["holdings"]) for one in (before, after))],
                ["of all", *map(amount_text, document["base"])],
                ["share of all", *(percent(one["share"]) for one in (before, after))],
                ["from genuine purchases", *(f"{one['genuine']:,.2f}" for one in (before, after))],
                ["part of its holdings", *(_part(one) for one in (before, after))],
                ["with receipts", *(f"{_receipts(one):,.2f}" for one in (before, after))],
                [
                    "rules of one account",
                    *(", ".join(one["rules"]) or "–" for one in (before, after)),
                ],
            ],
        ),
    ]
    if document["steps"]:
        parts.append(_group_table(document))
        after_all = _last(document["steps"])
        parts.append(Text(f"For it: {printable(after_all['because'])}"))
        parts.append(Text(f"Against it: {printable(after_all['against'])}"))
    if document["outside"]:
        parts.append(
            Text(f"No members of the case: {', '.join(map(printable, document['outside']))}.")
        )
    parts.append(Text(_verdict(document)))
    return Stack(*parts)


def _group_table(document: Doc) -> RenderableType:
    steps = document["steps"]
    kept = [name for name in STEPS if name in steps]
    rows = [
        ["accounts", *(f"{steps[name]['accounts']:,}" for name in kept)],
        ["hold together", *(amount_text(steps[name]["holdings"]) for name in kept)],
        ["share of all", *(percent(steps[name]["share"], steps[name]["line"]) for name in kept)],
        ["strength, bits", *(bits_text(steps[name]["strength_bits"]) for name in kept)],
        ["needed, bits", *(bits_text(steps[name]["needed_bits"]) for name in kept)],
        ["grade", *(_grade(steps[name]) for name in kept)],
        ["rule", *(steps[name]["rule"] or "none" for name in kept)],
    ]
    return _table(["the group", *(STEPS[name] for name in kept)], rows)


def _grade(step: Doc) -> str:
    return str(step["grade"]) if step["reported"] else "not reported"


def _last(steps: Doc) -> Doc:
    last: Doc = [steps[name] for name in STEPS if name in steps and name != "without"][-1]
    return last


def _part(figures: Doc) -> str:
    part = figures["genuine_part"]
    return "–" if part is None else percent(part)


def _receipts(figures: Doc) -> float:
    held: float = figures["held"]["with_receipt"]
    return held


def _verdict(document: Doc) -> str:
    before, after = document["rule"]
    if after is None:
        return "After that no rule holds any more." if before else "No rule held, nor does one now."
    if after == before:
        return f"After that rule {after} still holds."
    return f"After that rule {after} holds, before it was {before or 'none'}."


def answered_text(case: str, answered: Doc) -> str:
    """What came of an appeal, in a sentence or two."""
    who = f"The appeal of {printable(answered['account'])} in case {case}"
    if answered["step"] == "proposed":
        return f"{who} is to be upheld, says {answered['proposed']['by']}; a second person agrees."
    if answered["step"] == "objected":
        return f"{who} is open again: it is not upheld by a second person."
    if answered["outcome"] == "rejected":
        return f"{who} is rejected."
    freed = " Its unfreezing is ordered." if answered.get("freed") else ""
    return f"{who} is upheld.{freed} No order of the case names it any more."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left", no_wrap=place == 0)
    for row in rows:
        table.add_row(*row)
    return table
