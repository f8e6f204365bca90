"""Accounts: what is known of an account itself."""

from loaders.fields import Source, account, choice, time

ROLES = ("issuer", "treasury", "custodian", "exchange", "merchant", "payroll", "person")

SOURCE = Source(
    kind="accounts",
    help="What is known of an account itself: since when it is open, and its role.",
    example="inconcert load accounts accounts.csv --map opened_at=created",
    fields=(
        account("account", "the account"),
        time("opened_at", "when it was opened", event=True),
        choice("role", ", ".join(ROLES), ROLES),
        time("from", "since when this holds", column="valid_from"),
    ),
)
