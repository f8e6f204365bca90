"""How the values of a policy are read, and what is said of one that cannot be."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, PlainSerializer, PlainValidator
from pydantic_core import ErrorDetails

from graph.clock import iso

FINEST_DIGITS = 38
"""A line of fewer than 10^-38 of all is below one unit of any amount."""


def _fraction(value: Any) -> Fraction:
    """ValueError unless it is a number within 10^±38, or its text, or numerator/denominator."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("no number")
    text = str(value).strip()
    if "/" in text:
        return Fraction(text)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise ValueError("no number") from None
    if not exact.is_finite() or (exact and abs(exact.adjusted()) > FINEST_DIGITS):
        raise ValueError("no number that can be meant")
    return Fraction(exact)


def _line(value: Any) -> Fraction:
    text = str(value).strip()
    try:
        if isinstance(value, str) and text.endswith("%"):
            line = _fraction(text.removesuffix("%").strip()) / 100
        else:
            line = _fraction(value)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"'{text}' is not a line; write \"5%\" or 0.05") from None
    if not text.endswith("%") and 1 <= line < 100:
        raise ValueError(f'{text} could mean anything; write "{text}%" or {float(line / 100):g}')
    if not 0 < line < 1:
        raise ValueError(f"a line lies above 0 and below 100 %, not at {text}")
    return line


def _weight(value: Any) -> Fraction:
    try:
        weight = _fraction(value)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"'{value}' is not a weight; write 8 or 7.5") from None
    if not 0 <= weight <= 100:
        raise ValueError(f"a weight is from 0 to 100, not {value}")
    return weight


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"'{value}' is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("it is no number that can be meant")
    return number


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(value).key
    except (ValueError, TypeError, OSError, KeyError, AttributeError):
        raise ValueError(
            f"this machine knows no time zone '{value}'; write one as Asia/Shanghai"
        ) from None


def _aware(value: Any) -> datetime:
    try:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    except OverflowError:
        pass
    raise ValueError(f"'{value}' is not a time; write 2026-03-01 or 2026-03-01T12:30:00+08:00")


MOST_QUOTED = 60
"""Characters of what stands in a file."""

Line = Annotated[Fraction, PlainValidator(_line), PlainSerializer(str)]
Weight = Annotated[Fraction, PlainValidator(_weight), PlainSerializer(str)]
Moment = Annotated[datetime, PlainValidator(_aware), PlainSerializer(iso)]
Zone = Annotated[str, PlainValidator(_zone)]
Number = Annotated[float, PlainValidator(_number)]
Hours = Annotated[Number, Field(gt=0, le=100_000)]
Days = Annotated[int, Field(strict=True, ge=0, le=100_000)]
Name = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Words = Annotated[str, Field(strict=True, min_length=1, max_length=500)]
Flag = Annotated[bool, Field(strict=True)]


def moment_in(time_zone: ZoneInfo, value: Any) -> datetime:
    """A time in UTC. `value`: a time, a date (its beginning) or their ISO 8601 text; without a
    zone of its own it is read in `time_zone`. ValueError where it is none of these."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if value.tzinfo is None:
            value = value.replace(tzinfo=time_zone)
        moment: datetime = value.astimezone(UTC)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise ValueError(f"'{value}' is not a time.") from None
    return moment


def percent(share: Fraction) -> str:
    """An exact share as text: 1/20 is `5 %`; what decimals cannot say stays a fraction."""
    hundredfold = 100 * share
    places = next((n for n in range(40) if (hundredfold * 10**n).denominator == 1), None)
    if places is None:
        return f"{hundredfold} %"
    digits = str((hundredfold * 10**places).numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]} %" if places else f"{digits} %"


def decimal(number: Fraction) -> str:
    """A weight as text: 15/2 is `7.5`."""
    return percent(number / 100).removesuffix(" %")


def sentence_of(
    errors: Sequence[ErrorDetails], raw: Mapping[str, Any], known: Collection[str]
) -> str:
    """What is wrong first, in one sentence; a misspelt name before what is missing for it.

    `raw`: the file; `known`: the names of all settings.
    """
    error = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    *place, last = error["loc"] or ("the file",)
    kind, what = error["type"], error["msg"].removeprefix("Value error, ")
    given = str(error["input"])
    given = f"'{given}'" if len(given) <= MOST_QUOTED else f"'{given[:MOST_QUOTED]}…'"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(last), known, 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{_where(place, raw)}there is no setting '{last}'.{hint}"
    if kind == "missing":
        return f"{_where(place, raw)}'{last}' is missing."
    if kind == "literal_error":
        what = f"{error['ctx']['expected']}, not {given}"
    elif kind == "string_pattern_mismatch":
        what = f"{given} is not a name: letters, digits, dots and dashes, 64 at most"
    elif kind == "tuple_type":
        what = "write [[rules]] before each rule" if last == "rules" else f"{given} is not a list"
    elif what.startswith("Input should"):
        what = f"it {what.removeprefix('Input ')}, not {given}"
    return f"{_where(error['loc'], raw)}{what}."


def _where(place: Collection[str | int], raw: Mapping[str, Any]) -> str:
    """A place in the file, as a person finds it: a rule by its id."""
    parts = [part for part in place if part != "[key]"]
    if parts[:1] == ["rules"] and len(parts) > 1:
        number = int(parts[1])
        rule = raw["rules"][number]
        name = rule.get("id") if isinstance(rule, Mapping) else None
        parts[:2] = [f"rule '{name}'" if isinstance(name, str) else f"rule {number + 1}"]
    return ": ".join([*(str(part) for part in parts), ""])
