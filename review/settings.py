"""Settings of the review queue: `[review]` in `inconcert.toml`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["investigator", "senior", "auditor", "operator"]
ROLES: tuple[Role, ...] = ("investigator", "senior", "auditor", "operator")

UNNAMED: tuple[Role, ...] = ("investigator", "senior")
"""What everybody may be where no roles are set: neither act for others nor see what is hidden."""


class ReviewSettings(BaseModel):
    """Who may do what, whose accounts are whose, and where orders go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: dict[Role, tuple[str, ...]] = {}
    """The users of each role. None set: everybody is investigator and senior."""
    people: dict[str, tuple[str, ...]] = {}
    """The accounts that belong to a user: nobody decides about a group with one of them."""
    webhook: str | None = None
    """Where orders are sent, if anywhere."""

    def roles_of(self, user: str) -> tuple[Role, ...]:
        """The roles of a user, in the order of `ROLES`."""
        if not self.roles:
            return UNNAMED
        return tuple(role for role in ROLES if user in self.roles.get(role, ()))
