"""Orders as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from reports.findings_text import show
from reports.wording import printable

__all__ = ["orders_table", "show"]


def orders_table(orders: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Orders in the order given, a row each, with what has become of them."""
    if not orders:
        return Text("No order waits.")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("key", "action", "account", "case", "rule", "given", "sent", "acknowledged"):
        table.add_column(name, no_wrap=True)
    for order in orders:
        table.add_row(
            order["key"],
            order["action"],
            printable(order["account"]),
            order["case"],
            order["rule"] or "–",
            order["at"],
            order.get("sent") or "–",
            _answer(order),
        )
    return table


def _answer(order: Mapping[str, Any]) -> str:
    if not order.get("acknowledged"):
        return "–"
    moment = str(order["acknowledged"])
    return moment if order["done"] else f"not done, {moment}"
