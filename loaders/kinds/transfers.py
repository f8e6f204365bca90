"""Transfers: an amount moves from one account to another."""

from loaders.fields import Source, account, amount, at, id, text

SOURCE = Source(
    kind="transfers",
    help="An amount moves from one account to another.",
    example="inconcert load transfers transfers.csv --map src=from,dst=to,at=timestamp",
    fields=(
        account("src", "the account that sends"),
        account("dst", "the account that receives"),
        amount("how much; without such a column 1 each", default="1"),
        at(),
        text("kind", "what it is for, as the platform says it"),
        id(),
    ),
)
