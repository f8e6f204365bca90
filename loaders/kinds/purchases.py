"""Purchases: an account paid for what it holds."""

from loaders.fields import Source, account, amount, at, id, text

SOURCE = Source(
    kind="purchases",
    help="An account bought an amount.",
    example="inconcert load purchases purchases.csv --map amount=points,at=paid_at",
    fields=(
        account("account", "the account that bought"),
        amount("how much it bought"),
        at(),
        text("receipt", "the receipt's number"),
        id(),
    ),
)
