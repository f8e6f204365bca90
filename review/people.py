"""Who acts, in which role, and who may not."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass

from graph.errors import UserError
from graph.log import Actor
from graph.who import user as named_user
from review.settings import ReviewSettings, Role


class RefusedError(UserError):
    """Somebody may not do this. Refusals are logged."""

    def __init__(self, sentence: str, hint: str | None = None, *, what: str, about: str) -> None:
        super().__init__(sentence, hint)
        self.what, self.about = what, about


@dataclass(frozen=True)
class Person:
    """Somebody at the queue. `accounts`: those that are their own, and of the `operator`
    who acts for them (None: they do themselves)."""

    user: str
    login: str
    roles: tuple[Role, ...]
    accounts: tuple[str, ...]
    operator: str | None = None

    @property
    def named(self) -> str:
        """Who really acts, as far as it is known."""
        return self.operator or self.user

    def is_one_of(self, *others: str | None) -> bool:
        """Whether this is the same person as any of some users, or as who acted for them."""
        return bool({self.user, self.named} & set(others))

    def acting(self, what: str, about: str, *allowed: Role) -> Actor:
        """The person in the first of the roles that allow something. RefusedError where the
        person has none of them."""
        for role in allowed:
            if role in self.roles:
                return Actor(self.user, self.login, role)
        raise RefusedError(
            f"{self.user} may not {what}: that needs the role {' or '.join(allowed)}.",
            "Roles are set in inconcert.toml, [review.roles].",
            what=what,
            about=about,
        )

    def anybody(self) -> Actor:
        """The person in the first role there is."""
        return Actor(self.user, self.login, self.roles[0] if self.roles else "none")

    def refuse_own(self, what: str, about: str, members: Iterable[str]) -> None:
        """RefusedError where one of some accounts is the person's own."""
        own = {self.user, *self.accounts}
        if any(account in own for account in members):
            raise RefusedError(
                f"{self.user} is a member of the group and may not {what}.", what=what, about=about
            )


def login() -> str:
    """Whom the machine knows as the one who acts, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        return f"uid {os.getuid()}"


def person(settings: ReviewSettings, acting_as: str | None = None) -> Person:
    """Who acts here. `acting_as`: somebody else, which takes an operator. RefusedError where it
    is none."""
    me = named_user()
    if acting_as and acting_as != me and "operator" not in settings.roles_of(me):
        raise RefusedError(
            f"{me} may not act as {acting_as}: that needs the role operator.",
            "Roles are set in inconcert.toml, [review.roles].",
            what="act as another",
            about="log",
        )
    if not acting_as or acting_as == me:
        return Person(me, login(), settings.roles_of(me), settings.people.get(me, ()))
    own = (*settings.people.get(acting_as, ()), *settings.people.get(me, ()), me)
    by = f"{login()}, {me} for them"
    return Person(acting_as, by, settings.roles_of(acting_as), own, me)
