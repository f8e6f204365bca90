"""What a kind of fact is made of, as declared by one small file in `loaders/kinds`.

Declarations import nothing heavy: the command line builds its help from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["account", "amount", "time", "text", "choice", "identifier_kind", "identifier", "id"]


@dataclass(frozen=True)
class Field:
    """One field of a fact: its name in files and `--map`, and how it is read.

    `column` is the stored column. `default` stands in where the file has no such column;
    a field without default may not be empty where `required`. `event` marks a time at which
    something happened: it may not lie in the future, and `--time-unit step` applies to it.
    `aliases` are column names that a file may use instead; only hints speak of them.
    """

    name: str
    type: Type
    help: str
    column: str = ""
    required: bool = False
    may_be_empty: bool = True
    default: str | None = None
    event: bool = False
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def stored(self) -> str:
        """The stored column, or the field's own name."""
        return self.column or self.name


@dataclass(frozen=True)
class Source:
    """One kind of fact as files bring it; found by registration (see `loaders.kinds`)."""

    kind: str
    """The kind's name in `graph.schema.KINDS`, and of the command."""
    help: str
    """One sentence."""
    example: str
    """A command that was run."""
    fields: tuple[Field, ...]
    states: bool = False
    """Says how things stand at a time, rather than what happened: `--at`, `--complete`."""

    def field(self, name: str) -> Field:
        """The field of that name. KeyError when there is none."""
        return {field.name: field for field in self.fields}[name]

    @property
    def names(self) -> list[str]:
        """The names of its fields."""
        return [field.name for field in self.fields]


_FROM = ("from", "sender", "source", "payer", "from_address", "sourceNodeId")
_TO = ("to", "receiver", "recipient", "target", "payee", "to_address", "targetNodeId")
_ACCOUNT = ("address", "account_id", "user", "user_id", "holder", "owner", "wallet", "id")
_AMOUNT = ("value", "quantity", "balance", "tokens", "points", "sum")
_AT = ("timestamp", "time", "date", "datetime", "created_at", "block_time", "block_timestamp")
_ALIASES = {
    "src": _FROM,
    "dst": _TO,
    "referrer": ("inviter", "introducer", "parent", "sponsor"),
    "referred": ("invited", "invitee", "child", "sender"),
    "account": _ACCOUNT,
    "value": ("identifier", "device", "device_id", "ip", "phone", "card", "address"),
    "identifier_kind": ("kind", "type"),
}


def account(name: str, help: str) -> Field:
    """A required account id."""
    return Field(
        name,
        "account",
        help,
        required=True,
        may_be_empty=False,
        aliases=_ALIASES.get(name, _ACCOUNT),
    )


def amount(help: str, default: str | None = None) -> Field:
    """An exact decimal, never empty where its column is there; required without a default."""
    return Field(
        "amount",
        "amount",
        help,
        required=default is None,
        may_be_empty=False,
        default=default,
        aliases=_AMOUNT,
    )


def at(help: str = "when: ISO 8601, or Unix seconds, ms or µs", may_be_empty: bool = True) -> Field:
    """When it happened; optional."""
    return Field("at", "time", help, event=True, may_be_empty=may_be_empty, aliases=_AT)


def time(name: str, help: str, column: str = "", event: bool = False) -> Field:
    """Another time; optional."""
    return Field(name, "time", help, column=column, event=event)


def text(name: str, help: str) -> Field:
    """Free text; optional."""
    return Field(name, "text", help)


def choice(name: str, help: str, choices: tuple[str, ...], required: bool = False) -> Field:
    """One of a few words."""
    return Field(
        name, "choice", help, required=required, may_be_empty=not required, choices=choices
    )


def identifier_kind() -> Field:
    """What an identifier is: device, ip, card, …"""
    return Field(
        "identifier_kind",
        "identifier_kind",
        "device, ip, card, phone, address, email, mac or another word",
        required=True,
        may_be_empty=False,
        aliases=_ALIASES["identifier_kind"],
    )


def identifier() -> Field:
    """The identifier itself; only its digest is stored."""
    return Field(
        "value",
        "identifier",
        "the identifier; only its keyed digest is stored",
        column="digest",
        required=True,
        may_be_empty=False,
        aliases=_ALIASES["value"],
    )


def id() -> Field:
    """The platform's own id of the fact; optional."""
    return Field("id", "id", "the platform's own id of the fact, unique within the source")
