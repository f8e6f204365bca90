"""Numbers and names as people read them, the same in texts and in plots."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Any

Group = dict[str, Any]
"""One group of a detection's result (schema 1)."""

Result = dict[str, Any]
"""A detection's result (schema 1)."""

MOST_DECIMALS = 8

GRADES = {
    "conclusive": "documented facts alone carry it over the line; may lead to an order",
    "corroborated": "two kinds of fact agree beyond what innocence explains; may lead to an order",
    "indication": "one kind of fact, or an innocent explanation is open; a reason to look, "
    "not to act",
}


def percent(share: float, beside: float | None = None) -> str:
    """A share as text: 0.0686 is `6.86 %`.

    More decimals where two would show a share as nothing, or as equal to the share
    `beside` which it is not.
    """
    for decimals in range(2, MOST_DECIMALS):
        text = f"{100 * share:.{decimals}f}"
        vanished = share != 0 and float(text) == 0
        confused = beside is not None and share != beside and text == f"{100 * beside:.{decimals}f}"
        if not vanished and not confused:
            break
    return f"{text} %"


def line_name(line: float) -> str:
    """A control line as text: 0.05 is `5 %`."""
    return f"{100 * line:.6g} %"


def bits_text(bits: float) -> str:
    """Bits to a tenth, as tables show them."""
    return f"{bits:,.1f}"


def amount_text(amount: str) -> str:
    """An exact amount with thousands separated; nothing is rounded."""
    return f"{Decimal(amount):,f}"


def rounded(amount: float) -> str:
    """An amount as plots show it: whole, or of a small one three digits."""
    return f"{amount:,.0f}" if abs(amount) >= 1000 or amount == 0 else f"{amount:.3g}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 account`, `1,234 accounts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def printable(text: str) -> str:
    """Text that cannot move a cursor or break a line: control characters become `�`."""
    return "".join("�" if unicodedata.category(char)[0] == "C" else char for char in text)


def short(account: str, most: int = 14) -> str:
    """An account id that fits a plot: the middle of a long one is left out."""
    account = printable(account)
    if len(account) <= most:
        return account
    tail = (most - 1) // 2
    return f"{account[: most - 1 - tail]}…{account[-tail:]}"


def doubt_names(group: Group) -> list[str]:
    """The innocent explanations that are open."""
    return [doubt["explanation"] for doubt in group["doubts"]]


def headline(group: Group) -> str:
    """The finding in one sentence, for somebody who has never seen one."""
    members, line = group["members"], group["line"]
    largest = max(members, key=lambda member: member["share"])
    name, alone = printable(largest["account"]), percent(largest["share"], line)
    if len(members) == 1:
        return f"{name} alone holds {alone}: the per-account check at {line_name(line)} sees it."
    together = f"{counted(len(members), 'account')} hold {percent(group['share'], line)} together; "
    if largest["share"] < line:
        return (
            f"{together}the largest alone holds {alone}, so no per-account check at "
            f"{line_name(line)} sees them."
        )
    over = [member for member in members if member["share"] >= line]
    others = percent(group["share"] - sum(member["share"] for member in over))
    if len(over) == 1:
        return (
            f"{together}{name} alone holds {alone} and is over the {line_name(line)} line by "
            f"itself, the others add {others}."
        )
    return (
        f"{together}{len(over)} of them are over the {line_name(line)} line by themselves, "
        f"the others add {others}."
    )
