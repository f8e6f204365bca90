"""Is the store's key there, its own, and nobody else's to read?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graph.digest import fingerprint, read_key
from graph.errors import InconcertError
from inconcert.doctor import Finding, NoStoreError, Site, ok, problem, warning

NOT_OTHERS, NOT_GROUP = 0o027, 0o040
"""What others may not do at all, and what a group may only where it has to: a secret that
Kubernetes mounts for a user who is not root is read by its group."""


def look(site: Site) -> Iterator[Finding]:
    """Its place, its mode, its fingerprint."""
    place = _place(site)
    if not place.exists():
        yield problem(
            f"The key is not in {place}.",
            "Loads, and masked ids, need it: restore it from its back-up, or set "
            "INCONCERT_KEY_FILE.",
        )
        return
    mode = place.stat().st_mode & 0o777
    if mode & NOT_OTHERS:
        yield problem(
            f"{place} has mode {mode:04o}: others than its owner may use it.",
            f"chmod 600 {place}",
        )
    elif mode & NOT_GROUP:
        yield warning(f"{place} has mode {mode:04o}: its group may read it.", f"chmod 600 {place}")
    found = fingerprint(read_key(place))
    expected = _expected(site)
    if found != expected:
        yield problem(
            f"The key in {place} ({found}) is not the store's ({expected}).",
            "Set INCONCERT_KEY_FILE to the store's own key, or restore it from its back-up.",
        )
    else:
        yield ok(f"The key in {place} is the store's own ({found}).")


def _place(site: Site) -> Path:
    from graph.keys import named_place

    if not isinstance(site.opened, InconcertError):
        return Path(site.opened.key_place)
    named = named_place()
    if named:
        return named
    if site.is_server:
        raise NoStoreError("Not looked at: where it is depends on the store, which does not open.")
    from graph.embedded.store import key_path

    return key_path(Path(site.url))


def _expected(site: Site) -> str:
    """The fingerprint that the store keeps. A folder says it even where another key is in the
    place, for which the store does not open."""
    if isinstance(site.opened, InconcertError) and not site.is_server:
        from graph.embedded.ledger import Ledger
        from graph.embedded.store import LEDGER

        return Ledger(Path(site.url) / LEDGER).properties().key_fingerprint
    return site.store.properties.key_fingerprint
