"""What a refresh that waits for a person ends with."""

from __future__ import annotations

from graph.errors import InconcertError


class HeldError(InconcertError):
    """A refresh is held for release."""

    exit_code = 5
