"""Sightings: an account was seen with an identifier."""

from loaders.fields import Source, account, at, id, identifier, identifier_kind

SOURCE = Source(
    kind="sightings",
    help="An account was seen with an identifier (device, ip, card, phone, address).",
    example="inconcert load sightings logins.csv --map value=device_id,identifier_kind==device",
    fields=(
        account("account", "the account that was seen"),
        identifier_kind(),
        identifier(),
        at(),
        id(),
    ),
)
