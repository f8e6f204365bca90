"""Settings of the review queue: `[review]` in `inconcert.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Role = Literal["investigator", "senior", "auditor", "operator"]
ROLES: tuple[Role, ...] = ("investigator", "senior", "auditor", "operator")

UNNAMED: tuple[Role, ...] = ("investigator", "senior")
"""What everybody may be where no roles are set: neither act for others nor see what is hidden."""

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class ReviewSettings(BaseModel):
    """Who may do what, whose accounts are whose, and where orders go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: dict[Role, tuple[str, ...]] = {}
    """The users of each role. None set: everybody is investigator and senior."""
    people: dict[str, tuple[str, ...]] = {}
    """The accounts that belong to a user: nobody decides about a group with one of them."""
    webhook: str | None = None
    """Where orders are sent, if anywhere: an https address, or one of this machine."""
    webhook_key_file: Path | None = None
    """A file with the key that orders are signed with; the receiver has it too."""
    webhook_timeout: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Seconds that an answer is waited for."""
    webhook_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """How often an order is tried before the receiver counts as unreachable."""
    webhook_pause: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Seconds before the second attempt; each further one waits longer."""

    @field_validator("webhook")
    @classmethod
    def _only_safe(cls, address: str | None) -> str | None:
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.port == 0:
            raise ValueError("is no http address")
        if parts.username or parts.password:
            raise ValueError("holds a name or a password; orders are signed instead")
        if parts.scheme == "http" and parts.hostname not in THIS_MACHINE:
            raise ValueError("begins with http: orders leave this machine by https only")
        return address

    def roles_of(self, user: str) -> tuple[Role, ...]:
        """The roles of a user, in the order of `ROLES`."""
        if not self.roles:
            return UNNAMED
        return tuple(role for role in ROLES if user in self.roles.get(role, ()))
