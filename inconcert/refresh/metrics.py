"""Figures of the refresh for Prometheus' textfile collector."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from graph.clock import now, parse_time
from review import refreshes
from review.cases import CASE
from review.clock import is_overdue

if TYPE_CHECKING:
    from graph.log import Doc
    from graph.store import Store


def write_metrics(store: Store, path: Path) -> None:
    """Write the file; under its name it is whole."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()

    def gauge(name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"inconcert_{name}", words, labels, registry=registry)

    log = store.log
    last = refreshes.latest(log.view, refreshes.LAST)
    good = refreshes.latest(log.view, refreshes.GOOD)
    held = gauge("refresh_held", "1 while the last refresh waits for a person")
    held.set(bool(last and last["state"] == refreshes.HELD))
    age = gauge("last_good_refresh_age_seconds", "Since the last refresh that went to its end")
    age.set(_age(good))
    night = gauge("last_good_night_age_seconds", "Since the last night that went to its end")
    night.set(_age(refreshes.last_night(log.view)))
    seconds = gauge("refresh_stage_seconds", "What each stage of the last refresh took", "stage")
    for stage, done in (last or {"stages": {}})["stages"].items():
        seconds.labels(stage).set(done["seconds"])
    rows = gauge("refresh_rows", "Rows of the last refresh by feed and fate", "feed", "fate")
    for (feed, fate), count in sorted(_rows(store, last).items()):
        rows.labels(feed, fate).set(count)
    findings = gauge("findings", "Groups of the last good run by line", "line")
    for line, count in sorted(_findings(good).items()):
        findings.labels(line).set(count)
    cases = log.views(CASE).values()
    states = gauge("cases", "Cases of the queue by state", "state")
    for state, count in sorted(Counter(case["state"] for case in cases).items()):
        states.labels(state).set(count)
    overdue = gauge("cases_overdue", "Open cases whose review time is over")
    overdue.set(sum(is_overdue(case, now()) for case in cases))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), registry)


def _age(refresh: Doc | None) -> float:
    """Seconds since a refresh ended."""
    return (now() - parse_time(refresh["ended"])).total_seconds() if refresh else float("inf")


def _rows(store: Store, last: Doc | None) -> Counter[tuple[str, str]]:
    rows: Counter[tuple[str, str]] = Counter()
    for one in store.log.views(refreshes.DELIVERY).values():
        if last and one["refresh"] == last["number"]:
            for fate in ("loaded", "known", "conflicts", "quarantined"):
                rows[one["feed"], fate] += one[fate]
    return rows


def _findings(good: Doc | None) -> Counter[str]:
    groups = good["stages"]["detect"]["out"]["groups"] if good else []
    return Counter(str(group["line"]) for group in groups)
