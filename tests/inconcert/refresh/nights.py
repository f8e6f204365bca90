"""A small platform that delivers night by night, and what a store that took it in holds."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from graph.schema import KINDS
from graph.store import Store, open_store

INCONCERT = str(Path(sys.executable).with_name("inconcert"))

RING = [f"r{number}" for number in range(10)]
CROWD = [f"c{number:03}" for number in range(300)]
FIRST = date(2026, 5, 8)
"""The day that the first night brings, with all that was before it."""

HELD = 600
"""What each of the ring holds; with 313.3 of each of the crowd it is 6 % together."""

Rows = Sequence[Sequence[object]]

SETTINGS = """
[refresh]
log = "refresh.jsonl"
"""

FEED = """
[[feed]]
name = "{kind}"
kind = "{kind}"
folder = "feed"
pattern = "**/{kind}*.csv"
done = "done"
"""


def now(night: int, hour: int = 2) -> str:
    """The time of a night, 1, 2, …, as INCONCERT_NOW says it."""
    return f"{FIRST + timedelta(days=night)}T{hour:02}:00:00Z"


def settle(folder: Path, more: str = "") -> None:
    """Writes the settings into a folder, where the platform will deliver too."""
    feeds = [FEED.format(kind=kind) for kind in ("transfers", "sightings")]
    feeds.append(FEED.format(kind="holdings") + "complete = true\n")
    (folder / "inconcert.toml").write_text(SETTINGS + more + "".join(feeds))
    (folder / "feed").mkdir()


def deliver(folder: Path, night: int, held: Mapping[str, object] | None = None) -> None:
    """What the platform writes in a night: the ring deals on, the crowd deals once each."""
    day = FIRST + timedelta(days=night - 1)
    days = [day] if night > 1 else [FIRST - timedelta(days=back) for back in range(8)]
    write(folder, day, "transfers", ("id", "src", "dst", "amount", "at"), _deals(days))
    seen = [(RING[place], "device", f"d{place // 5}", f"{day}") for place in range(10)]
    own = [(account, "device", f"own {account}", f"{day}") for account in CROWD]
    rows = [*seen, (RING[4], "device", "d1", f"{day}"), *(own if night == 1 else own[:9])]
    write(folder, day, "sightings", ("account", "identifier_kind", "value", "at"), rows)
    holds = dict.fromkeys(RING, HELD) | dict.fromkeys(CROWD, "313.3") | (held or {})
    stated = [(account, amount, f"{day}T23:00:00Z") for account, amount in holds.items()]
    write(folder, day, "holdings", ("account", "amount", "at"), stated)
    mark_done(folder / "feed" / f"{day}", day)


def mark_done(place: Path, day: date) -> None:
    """The marker, and the same times of files wherever the platform delivers."""
    (place / "done").touch()
    seconds = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    for path in place.iterdir():
        os.utime(path, (seconds, seconds))


def _deals(days: Sequence[date]) -> Rows:
    rows = [
        (
            f"{day}-{place}-{step}",
            member,
            RING[(place + step) % 10],
            50,
            f"{day}T0{step}:00:{place:02}Z",
        )
        for day in days
        for place, member in enumerate(RING)
        for step in (1, 2)
    ]
    others = [
        (f"{day}-c{place}", CROWD[place], CROWD[(place * 7 + 1) % 300], 5, f"{day}T12:00:00Z")
        for day in days[:3]
        for place in range(0, 300, 2)
        if (place * 7 + 1) % 300 != place
    ]
    return [*rows, *others]


def write(folder: Path, day: date, kind: str, header: Sequence[str], rows: Rows) -> Path:
    """A file of a day."""
    place = folder / "feed" / f"{day}"
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{kind}.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def start(folder: Path, moment: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    return subprocess.Popen(
        [INCONCERT, "refresh", *words],
        cwd=folder,
        env={**os.environ, "INCONCERT_NOW": moment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Killable(Protocol):
    """Of `subprocess.Popen` what it takes to kill a process and to see that it is dead."""

    @property
    def returncode(self) -> Any: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def communicate(self) -> tuple[str, str]: ...


def kill_when(process: Killable | subprocess.Popen[str], is_time: Callable[[], bool]) -> bool:
    """Kills it as soon as it is time; whether it was not over by then."""
    while process.poll() is None:
        if is_time():
            process.kill()
        time.sleep(0.002)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def content(url: str) -> dict[str, Any]:
    """All that a store holds, but for numbers of batches, which are given once, and seconds."""
    store = open_store(url)
    return {
        "facts": {kind: _facts(store, kind) for kind in KINDS},
        "batches": [(one.action, one.kind, one.source, one.counts) for one in store.batches()],
        "runs": [(run.id, run.result["result_sha256"]) for run in store.runs()],
        "events": [(one.subject, one.action, _bare(one.facts)) for one in store.log.events()],
        "views": {
            kind: [_bare(doc) for doc in store.log.views(kind).values()]
            for kind in store.log.kinds()
        },
    }


BARE = ("seconds", "batch", "batches", "known_at", "after", "number")


def _bare(doc: Any) -> Any:
    if isinstance(doc, dict):
        return {name: _bare(value) for name, value in doc.items() if name not in BARE}
    return [_bare(one) for one in doc] if isinstance(doc, list) else doc


def _facts(store: Store, kind: str) -> list[Any]:
    names = store.accounts()
    frame = store.facts(kind).drop("batch")
    for column in KINDS[kind].accounts:
        text = names.select(pl.col("ix").alias(column), pl.col("account").alias(f"{column}:"))
        frame = frame.join(text, on=column, how="left").drop(column)
    return frame.sort("uid", "revision").collect().rows()
