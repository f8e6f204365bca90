"""Does the store open, and is all of it there?"""

from __future__ import annotations

from collections.abc import Iterator

from graph.errors import InconcertError
from graph.store import CheckReport
from inconcert.doctor import Finding, Site, ok, problem, warning

BACKUP = "Restore it from a back-up (`inconcert store restore`); load what came since again."


def look(site: Site) -> Iterator[Finding]:
    """The home, the format, and a glance at all parts, or every byte of them."""
    if isinstance(site.opened, InconcertError):
        yield problem(site.opened.sentence, site.opened.hint)
        return
    store = site.store
    home = "on a server" if site.is_server else "in a folder"
    yield ok(f"{store.url}, {home}, format {store.properties.format}.")
    report = store.check() if site.deep else store.glance()
    yield from (problem(sentence, BACKUP) for sentence in report.problems)
    yield from (warning(sentence) for sentence in report.notes)
    if not report.problems:
        yield ok(_sound(report, site))


def _sound(report: CheckReport, site: Site) -> str:
    if site.deep:
        total = sum(report.facts.values())
        return f"Sound: {total:,} facts, each there once, as committed; everything was read."
    if site.is_server:
        return "Its schema is as it should be; --deep counts everything."
    return "The ledger and the files of facts are all right at a glance; --deep reads every byte."
