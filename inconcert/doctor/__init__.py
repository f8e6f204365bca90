"""`inconcert doctor`: is everything as it should be around a store, and what is to be done if not.

A check is a file of `inconcert.doctor.checks` with one function `look(site)`, which gives findings
one by one. Each stands alone: where one cannot go on, the others still say what they see.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graph.errors import InconcertError, UnreachableError
from graph.store import is_server

if TYPE_CHECKING:
    from graph.store import Store
    from inconcert.manners import Manners
    from inconcert.settings import Settings

OK, WARNING, PROBLEM, UNKNOWN = "ok", "warning", "problem", "unknown"
"""What a finding comes to. Unknown: not to be seen from here, or not without the store."""


@dataclass(frozen=True)
class Finding:
    """One sentence about one thing, and what to do about it."""

    level: str
    text: str
    hint: str | None = None


def ok(text: str) -> Finding:
    """All is well."""
    return Finding(OK, text)


def warning(text: str, hint: str | None = None) -> Finding:
    """Somebody should look at it, and all works meanwhile."""
    return Finding(WARNING, text, hint)


def problem(text: str, hint: str | None = None) -> Finding:
    """Something does not work, or results cannot be relied on."""
    return Finding(PROBLEM, text, hint)


def unknown(text: str, hint: str | None = None) -> Finding:
    """It cannot be seen from here."""
    return Finding(UNKNOWN, text, hint)


class NoStoreError(InconcertError):
    """The store does not open; the check of the store says why."""


class Site:
    """What checks look at. `deep`: reads all that there is, however long it takes."""

    def __init__(self, manners: Manners, deep: bool) -> None:
        self._manners = manners
        self.deep = deep
        self.tell: Callable[[str], None] = lambda _: None

    @cached_property
    def url(self) -> str:
        """The store's URL; where inconcert.toml cannot be read the one that holds without it."""
        from inconcert.manners import DEFAULT_STORE

        try:
            return self._manners.url
        except InconcertError:
            return DEFAULT_STORE

    @property
    def is_server(self) -> bool:
        """Whether the store is on a server."""
        return is_server(self.url)

    @cached_property
    def opened(self) -> Store | InconcertError:
        """The store, or why it does not open."""
        from graph.store import open_store

        try:
            return self._manners.heard(open_store(self.url))
        except InconcertError as error:
            return error

    @property
    def store(self) -> Store:
        """The store. NoStoreError where it does not open."""
        if isinstance(self.opened, InconcertError):
            raise NoStoreError("Not looked at: the store does not open.")
        return self.opened

    @property
    def reachable(self) -> bool:
        """Whether there is a server that answers, and lets us in; a folder always does."""
        return not isinstance(self.opened, UnreachableError)

    @cached_property
    def settings(self) -> Settings:
        """inconcert.toml. UserError where it cannot be read."""
        from inconcert.settings import settings

        return settings()


@dataclass(frozen=True)
class Checked:
    """A check's name and what it found."""

    check: str
    findings: list[Finding]

    def as_json(self) -> dict[str, Any]:
        """As `doctor --format json` prints it."""
        return {"check": self.check, "findings": [asdict(one) for one in self.findings]}


def examine(site: Site) -> Iterator[Checked]:
    """Every check in turn: the store first, then by name."""
    from inconcert.doctor import checks

    names = sorted(module.name for module in pkgutil.iter_modules(checks.__path__))
    for name in sorted(names, key=lambda name: name != "store"):
        site.tell(name)
        yield Checked(name, list(_looked(name, site)))


def _looked(name: str, site: Site) -> Iterator[Finding]:
    """What a check finds, and why it could not go on, whatever happens in it."""
    try:
        yield from importlib.import_module(f"inconcert.doctor.checks.{name}").look(site)
    except NoStoreError as error:
        yield unknown(error.sentence)
    except InconcertError as error:
        yield problem(error.sentence, error.hint)
    except Exception as error:  # what is damaged may break whatever reads it
        words = str(error).strip().splitlines()
        what = type(error).__name__ + (f": {words[0][:200]}" if words else "")
        yield problem(
            f"It cannot be looked at ({what}).", "`inconcert doctor --deep` reads it all."
        )


def exit_code(found: list[Checked], site: Site) -> int:
    """0 where nothing is a problem, else 1; 4 where the store cannot be reached."""
    if not site.reachable:
        return 4
    return int(any(one.level == PROBLEM for checked in found for one in checked.findings))
