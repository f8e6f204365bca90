"""`inconcert supply`: the base against which shares are taken."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from graph.amount import plain
from graph.clock import iso, parse_time
from graph.errors import UserError
from inconcert.manners import Manners, store_option

if TYPE_CHECKING:
    from graph.store import Store


@click.group(epilog="\b\nExample:\n  inconcert supply show")
def command() -> None:
    """Set and show the supply: the base against which shares are taken."""


@command.command("set", epilog="\b\nExample:\n  inconcert supply set 1000000 --from 2026-01-01")
@click.argument("amount")
@click.option("--from", "begin", required=True, metavar="TIME", help="In force from then on.")
@store_option
def set_(manners: Manners, amount: str, begin: str) -> None:
    """Record the supply from a date on. Below the sum of holdings counted it is refused."""
    supply, valid_from = _exact(amount), parse_time(begin)
    store = manners.open()
    with manners.progress("supply") as advance:
        advance(note="adding up the holdings")
        _refuse_below_holdings(store, supply, valid_from)
    entry = store.set_supply(supply, valid_from)
    click.echo(
        f"The supply is {plain(entry.amount)} from {iso(entry.valid_from)} "
        f"(recorded as batch {entry.batch})."
    )


@command.command(epilog="\b\nExample:\n  inconcert supply show --format json")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@store_option
def show(manners: Manners, form: str) -> None:
    """Show the supplies that were set. A later entry for the same date replaces an earlier."""
    entries = sorted(manners.open().supplies(), key=lambda entry: entry.valid_from)
    if form == "json":
        rows = [
            {"from": iso(e.valid_from), "amount": plain(e.amount), "batch": e.batch}
            for e in entries
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for entry in entries:
        click.echo(f"{plain(entry.amount)} from {iso(entry.valid_from)} (batch {entry.batch})")
    if not entries:
        click.echo("No supply is set: the base is the sum of the holdings counted.")


def _exact(text: str) -> Decimal:
    """An amount above 0 that fits decimal(38, 18)."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        raise UserError(f"'{text}' is not an amount.", "Write it as 1000000 or 1000.50.") from None
    if not amount.is_finite() or amount <= 0:
        raise UserError(f"A supply is above 0; '{text}' is not.")
    exponent = amount.as_tuple().exponent
    if amount >= 10**20 or (isinstance(exponent, int) and exponent < -18):
        raise UserError(
            f"'{text}' does not fit: an amount has up to 20 digits before the point and 18 after."
        )
    return amount


def _refuse_below_holdings(store: Store, supply: Decimal, valid_from: datetime) -> None:
    """The holdings counted at the date, and at the latest time of the store's facts."""
    from graph.snapshot import holdings_as_of

    if not store.fact_counts():
        return
    latest = max((b.latest_at for b in store.batches() if b.latest_at), default=valid_from)
    for moment in sorted({valid_from, max(valid_from, latest)}):
        counted = holdings_as_of(store, as_of=moment).counted
        if supply < counted:
            raise UserError(
                f"The accounts hold {plain(counted)} at {iso(moment)}, "
                f"more than a supply of {plain(supply)}.",
                "Set at least that, or name the accounts that issue as issuers.",
            )
