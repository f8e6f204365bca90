"""Referrals: one account brought another."""

from loaders.fields import Source, account, at, id

SOURCE = Source(
    kind="referrals",
    help="One account brought another.",
    example="inconcert load referrals referrals.csv --map referrer=inviter,referred=invited",
    fields=(
        account("referrer", "the account that brought the other"),
        account("referred", "the account that was brought"),
        at(),
        id(),
    ),
)
