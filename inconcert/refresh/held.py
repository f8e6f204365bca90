"""What a refresh ends with that waits for a person, or finds another one at work."""

from __future__ import annotations

from graph.errors import BusyError, InconcertError


class HeldError(InconcertError):
    """A refresh is held for release."""

    exit_code = 5


class AtWorkError(BusyError):
    """Another refresh is at work: it has not begun."""
