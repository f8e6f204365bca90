"""Holdings: what an account holds, as stated at a time."""

from loaders.fields import Source, account, amount, at, id

SOURCE = Source(
    kind="holdings",
    help="What accounts hold, as stated at a time.",
    example="inconcert load holdings holdings.csv --map amount=balance --at 2026-03-01 --complete",
    fields=(
        account("account", "the account that holds"),
        amount("how much it holds"),
        at("when it was so; without such a column --at TIME, else the load's time", False),
        id(),
    ),
    states=True,
)
