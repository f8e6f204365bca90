"""The one clock. `INCONCERT_NOW` (ISO 8601) sets it for rehearsals and tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from graph.errors import UserError


def now() -> datetime:
    """The present moment in UTC, or what `INCONCERT_NOW` says.

    Raises UserError when `INCONCERT_NOW` is not an ISO 8601 time.
    """
    text = os.environ.get("INCONCERT_NOW")
    return parse_time(text) if text else datetime.now(UTC)


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as an aware UTC datetime; a naive time means UTC.

    Raises UserError for anything else.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"'{text}' is not a time.", "Write it as 2026-03-01 or 2026-03-01T12:30:00Z."
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """A time as the contract prints it: ISO 8601, UTC, ending in Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
