"""A week as a platform exports it night by night: a folder a day, and `done` written last."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from inconcert.simulate.week import Week
from inconcert.simulate.world import FILES, PART, Advance, check_directory, silent

HISTORY = "history"
DONE = "done"
"""The empty file that says that a folder is complete."""

TRUTH, INNOCENTS = FILES[0], FILES[-1]
WHOLE = f".week{PART}"
"""Where a week is written until it is complete; a feed leaves out what begins with a dot."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_week_directory(directory: Path) -> None:
    """UserError unless a week may be written there: new, empty, or an earlier week."""
    check_directory(directory, _of_a_week)


def _of_a_week(name: str) -> bool:
    return name in (TRUTH, INNOCENTS, HISTORY, WHOLE) or bool(_DATE.fullmatch(name))


def write_week(
    week: Week, directory: Path | str, every: int | None = None, advance: Advance = silent
) -> dict[str, int]:
    """Writes the folders of a week; returns the rows of each file.

    `every`: minutes; the day's facts are then cut into parts by when they were made. An
    earlier week in the folder is replaced when the new one is complete. Raises UserError
    where the folder holds anything else.
    """
    folder = Path(directory)
    check_week_directory(folder)
    whole = folder / WHOLE
    shutil.rmtree(whole, ignore_errors=True)
    try:
        counts = _write_folders(week, whole, every, advance)
        for name, entries in ((TRUTH, week.truth), (INNOCENTS, week.world.innocents)):
            (whole / name).write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
        _replace(folder, whole)
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    return counts


def _replace(folder: Path, whole: Path) -> None:
    """Moves the new week to the place of the earlier one; the mark of a world goes last."""
    for earlier in folder.iterdir():
        if earlier.is_dir() and earlier != whole:
            shutil.rmtree(earlier)
    for entry in sorted(whole.iterdir(), key=lambda one: one.name == TRUTH):
        entry.replace(folder / entry.name)


def _write_folders(week: Week, whole: Path, every: int | None, advance: Advance) -> dict[str, int]:
    counts = {}
    for name, frames in _folders(week, every):
        advance(0, name)
        (whole / name).mkdir(parents=True)
        for file, frame in frames.items():
            frame.write_parquet(whole / name / file, compression_level=1)
            counts[f"{name}/{file}"] = frame.height
        (whole / name / DONE).touch()
    return counts


def _folders(week: Week, every: int | None) -> Iterator[tuple[str, dict[str, pl.DataFrame]]]:
    """The name of each folder and the frames of its files."""
    facts = {name: _by_day(week, name) for name in ("transfers", "sightings", "purchases")}
    history = {f"{name}.parquet": frames[0] for name, frames in facts.items()}
    history["referrals.parquet"] = week.world.referrals
    history["accounts.parquet"] = week.world.accounts
    history["holdings.parquet"] = week.holdings(0)
    yield HISTORY, history
    for day in range(1, week.days.count + 1):
        files: dict[str, pl.DataFrame] = {}
        for name, frames in facts.items():
            files |= _parts(name, frames[day], every) if every else {f"{name}.parquet": frames[day]}
        yield week.date(day).isoformat(), {**files, "holdings.parquet": week.holdings(day)}


def _by_day(week: Week, name: str) -> list[pl.DataFrame]:
    """The facts of the history, then of each day; all are in order of time."""
    frame: pl.DataFrame = getattr(week.world, name)
    ends = [week.days.end_us(day) for day in range(week.days.count + 1)]
    cuts = frame["at"].to_physical().search_sorted(pl.Series(ends), side="right").to_list()
    return [frame.slice(begin, end - begin) for begin, end in zip([0, *cuts], cuts, strict=False)]


def _parts(name: str, frame: pl.DataFrame, every: int) -> dict[str, pl.DataFrame]:
    """A file for each stretch of minutes in which something was made, named by its begin."""
    minute = pl.col("at").dt.hour().cast(pl.Int32) * 60 + pl.col("at").dt.minute()
    parts = frame.with_columns((minute // every * every).alias("begin")).partition_by(
        "begin", as_dict=True, include_key=False, maintain_order=True
    )
    return {
        f"{name}-{begin // 60:02d}{begin % 60:02d}.parquet": part
        for (begin,), part in parts.items()
    }
