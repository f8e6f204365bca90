"""An appeal as a file, TOML or JSON: what the holder of an account answers, with receipts.

account = "u0016273"
words = "We bought a flat together."      # personal; can be erased
holdings = "1250.5"                       # what the account really held
explanation = "household"                 # one of `review.moves.REASONS`
with = ["u0016280"]                       # the accounts that it is about

[[receipts]]
receipt = "R-2026-117"
amount = "400"
at = 2026-03-01T10:00:00Z                 # without a zone: UTC
account = "u0016273"                      # optional; the same account
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from graph.errors import UserError
from review.desk import MOST_WORDS
from review.moves import REASONS
from review.policy_values import MOST_QUOTED, moment_in, sentence_of

MOST_RECEIPTS = 1_000

NOT_OF_OTHERS = ("data", "below", "other")
"""Explanations that need not be about other accounts."""


def _quoted(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if len(text) <= MOST_QUOTED else f"'{text[:MOST_QUOTED]}…'"


def _amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(f'{_quoted(value)} is not an amount; write 400 or "400.25"')
    try:
        exact = Decimal(value.strip() if isinstance(value, str) else value)
    except (InvalidOperation, ValueError):
        raise ValueError(f'{_quoted(value)} is not an amount; write 400 or "400.25"') from None
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"an amount is 0 or more, not {_quoted(value)}")
    digits, exponent = exact.as_tuple()[1:]
    kept = "".join(map(str, digits)).rstrip("0")
    after = -(int(exponent) + len(digits) - len(kept)) if kept else 0
    if exact.adjusted() >= 20 or after > 18:
        raise ValueError(
            f"{_quoted(value)} has more than 20 digits before the point or 18 after it"
        )
    return exact if kept else Decimal(0)


def _more_than_nothing(value: Any) -> Decimal:
    amount = _amount(value)
    if not amount:
        raise ValueError("a receipt is of more than 0")
    return amount


def _moment(value: Any) -> datetime:
    if not isinstance(value, int | float):
        try:
            return moment_in(ZoneInfo("UTC"), value)
        except ValueError:
            pass
    raise ValueError(f"{_quoted(value)} is not a time; write 2026-03-01 or 2026-03-01T12:30:00Z")


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{_quoted(value)} is not a name")
    text = unicodedata.normalize("NFC", str(value).strip())
    if not 0 < len(text.encode()) <= 256:
        raise ValueError("a name has 1 to 256 bytes")
    return text


def _explanation(value: Any) -> str:
    if not isinstance(value, str) or value not in REASONS:
        raise ValueError(f"{_quoted(value)} is no explanation; there are {', '.join(REASONS)}")
    return value


Name = Annotated[str, PlainValidator(_name)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Receipt(_Part):
    """`[[receipts]]`: a purchase with a paper."""

    receipt: Name
    """Its id, as the platform or the shop writes it."""
    amount: Annotated[Decimal, PlainValidator(_more_than_nothing)]
    at: Annotated[datetime, PlainValidator(_moment)]
    account: Name | None = None


class Appeal(_Part):
    """What the holder of an account answers. Get one by `parse`."""

    account: Name
    words: Annotated[str, Field(strict=True, max_length=MOST_WORDS)] | None = None
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=MOST_RECEIPTS)] = ()
    holdings: Annotated[Decimal, PlainValidator(_amount)] | None = None
    explanation: Annotated[str, PlainValidator(_explanation)] | None = None
    others: tuple[Name, ...] = Field((), alias="with")
    """The accounts that the explanation is about."""


SETTINGS = ("account", "words", "receipts", "receipt", "amount", "at", "holdings", "explanation")


def parse(text: str, source: str) -> Appeal:
    """The appeal that a text says. `source`: where it is from, for messages.

    UserError, in one sentence, where it is wrong, says nothing, names a receipt twice or one
    of another account.
    """
    raw = _read(text, source)
    try:
        appeal = Appeal.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
        for one in errors:
            one["loc"] = _counted(one["loc"])
        raise UserError(f"{source}: {sentence_of(errors, {}, (*SETTINGS, 'with'))}") from None
    if problem := _contradiction(appeal):
        raise UserError(f"{source}: {problem}")
    return appeal


def _read(text: str, source: str) -> Mapping[str, Any]:
    """What TOML or JSON says: no TOML begins with a brace."""
    is_json = text.lstrip().startswith(("{", "["))
    try:
        if is_json:
            raw = json.loads(text, parse_float=Decimal)
        else:
            raw = tomllib.loads(text, parse_float=Decimal)
    except (ArithmeticError, RecursionError):
        raise UserError(f"{source} cannot be read: a number or a nesting is too large.") from None
    except ValueError as error:
        what = "JSON" if is_json else "TOML"
        raise UserError(f"{source} is not valid {what}: {error}.") from None
    if not isinstance(raw, Mapping):
        raise UserError(f"{source} is a list, not an appeal.")
    return raw


def _counted(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """A place in the file as a person counts: of the first receipt `receipt 1`."""
    if place[:1] == ("receipts",) and len(place) > 1:
        return (f"receipt {int(place[1]) + 1}", *place[2:])
    return place


def _contradiction(appeal: Appeal) -> str | None:
    """What is wrong in an appeal each part of which may be."""
    named: set[str] = set()
    for receipt in appeal.receipts:
        if receipt.receipt in named:
            return f"receipt {_quoted(receipt.receipt)} is used twice."
        if receipt.account not in (None, appeal.account):
            return f"receipt {_quoted(receipt.receipt)} is for another account."
        named.add(receipt.receipt)
    if appeal.others and not appeal.explanation:
        return "'with' names accounts, but there is no explanation."
    if appeal.explanation not in (None, *NOT_OF_OTHERS) and not appeal.others:
        return f"whom '{appeal.explanation}' is about is missing: with = [\"account\"]."
    if appeal.account in appeal.others:
        return "an explanation is about other accounts than the appealing one."
    if appeal.explanation == "below" and appeal.holdings is None:
        return 'what the account really held is missing: holdings = "1250.5".'
    said = appeal.receipts or appeal.explanation or (appeal.words or "").strip()
    if not said and appeal.holdings is None:
        return "it says nothing: no receipts, no holdings, no explanation, no words."
    if appeal.explanation == "other" and not (appeal.words or "").strip():
        return "something else is said in words."
    return None
