"""Times: ISO 8601, Unix numbers whose unit is decided by column, or plain steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from graph.errors import UserError
from loaders.cells import text
from loaders.parsed import Fault, Parsed

UNITS = ("s", "ms", "us", "step")
UNIT_NAMES = {"s": "Unix seconds", "ms": "Unix milliseconds", "us": "Unix microseconds"}
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_PLACES = {"s": 6, "ms": 3, "us": 0}
# Seconds, milliseconds and microseconds since 1970 of any date from 1973 to 5138.
_AT_LEAST = {"s": 10**8, "ms": 10**11, "us": 10**14}
_BELOW = {"s": 10**11, "ms": 10**14, "us": 10**17}
_NUMBER = r"^(-?[0-9]{1,18})(?:\.([0-9]*))?$"
_ISO = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:[.,]([0-9]+))?"
    r" ?([Zz]|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$"
)
_ZONED = "%Y-%m-%dT%H:%M:%S%.f%#z"


@dataclass
class Survey:
    """How many numbers of a column are of the size of which unit."""

    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_AT_LEAST, 0))
    small: int = 0
    smallest: float = 0.0
    largest: float = 0.0

    def add(self, cells: pl.Series) -> None:
        """Count a part of the column."""
        numbers = _numbers(cells)
        if numbers.is_empty():
            return
        for unit in self.sizes:
            inside = numbers.is_between(_AT_LEAST[unit], _BELOW[unit], closed="left")
            self.sizes[unit] += int(inside.sum())
        few = numbers.filter(numbers < _AT_LEAST["s"])
        if len(few):
            low, high = float(few.min()), float(few.max())  # type: ignore[arg-type]
            self.smallest = min(self.smallest, low) if self.small else low
            self.largest = max(self.largest, high) if self.small else high
        self.small += len(few)

    def unit(self, column: str) -> str | None:
        """The unit of most numbers; None without numbers.

        UserError when most are too small for any unit.
        """
        best = max(self.sizes, key=lambda unit: self.sizes[unit])
        if self.small > self.sizes[best]:
            raise UserError(
                f"Column '{column}' holds numbers from {self.smallest:g} to {self.largest:g}, "
                "too small for Unix times.",
                "Plain steps: --time-unit step; Unix seconds all the same: --time-unit s.",
            )
        return best if self.sizes[best] else None


def _numbers(cells: pl.Series) -> pl.Series:
    """The numbers among the cells, as floats (their size is all that matters)."""
    if cells.dtype.is_temporal():
        return pl.Series(dtype=pl.Float64)
    if cells.dtype.is_numeric():
        return cells.cast(pl.Float64).drop_nulls().drop_nans()
    raw = text(cells)[0].drop_nulls()
    return raw.filter(raw.str.contains(_NUMBER)).cast(pl.Float64)


def times(
    cells: pl.Series, unit: str | None, latest: datetime = LATEST, exact: bool = False
) -> Parsed:
    """Cells as UTC times in µs.

    `unit` is that of plain numbers; without `exact` a number that is not of the unit's size
    is refused. Refused too: what is no time, times before 1900 or after `latest`.
    """
    if cells.dtype in (pl.Datetime, pl.Date):
        raw, bad = cells, pl.repeat(False, len(cells), eager=True)
        values = _typed(cells)
        faults: list[Fault] = []
    else:
        raw, bad = text(cells)
        values, faults = _from_text(raw, unit, exact)
    strange = values.is_null() & raw.is_not_null()
    return Parsed(
        values,
        raw,
        [
            Fault(bad, "is not UTF-8"),
            *faults,
            Fault(strange, "is not a time (ISO 8601 or a Unix time)"),
            Fault(values < EARLIEST, "lies before 1900"),
            Fault(values > latest, "lies in the future" if latest < LATEST else "is after 9999"),
        ],
    )


def steps(cells: pl.Series) -> Parsed:
    """Cells as whole numbers: an order without dates."""
    raw, bad = text(cells)
    whole = pl.select(pl.when(raw.str.contains(r"^[0-9]{1,18}(?:\.0*)?$")).then(raw)).to_series()
    values = whole.str.replace(r"\.0*$", "").cast(pl.Int64)
    strange = values.is_null() & raw.is_not_null()
    return Parsed(
        values, raw, [Fault(bad, "is not UTF-8"), Fault(strange, "is not a step (a whole number)")]
    )


def _typed(cells: pl.Series) -> pl.Series:
    if cells.dtype == pl.Date:
        return cells.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if cells.dtype.time_zone is None:  # type: ignore[attr-defined]
        return cells.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return cells.dt.cast_time_unit("us").dt.convert_time_zone("UTC")


def _from_text(raw: pl.Series, unit: str | None, exact: bool) -> tuple[pl.Series, list[Fault]]:
    values = raw.str.to_datetime(_ZONED, time_unit="us", time_zone="UTC", strict=False)
    values = pl.select(pl.when(raw.str.contains(_ISO)).then(values)).to_series()
    faults: list[Fault] = []
    numeric = raw.str.contains(_NUMBER).fill_null(False)
    if unit is not None and numeric.any():
        where = numeric.arg_true()
        found, fault = _unix(raw.gather(where), unit, exact)
        values = values.scatter(where, found)
        faults.append(Fault.at(where, fault, len(raw)))
    left = values.is_null() & raw.is_not_null() & ~numeric
    if left.any():
        where = left.arg_true()
        values = values.scatter(where, _iso(raw.gather(where)))
    return values, faults


def _unix(raw: pl.Series, unit: str, exact: bool) -> tuple[pl.Series, Fault]:
    """Numbers in the unit; null where out of the calendar, a fault where of another size."""
    scale, places = _MICROSECONDS[unit], _PLACES[unit]
    parts = raw.str.extract_groups(_NUMBER)
    whole = parts.struct.field("1").cast(pl.Int64)
    fraction = (parts.struct.field("2").fill_null("") + "0" * places).str.slice(0, places)
    part = fraction.cast(pl.Int64, strict=False).fill_null(0)
    end = int(LATEST.timestamp()) * 1_000_000 // scale
    inside = (whole >= 0) & (whole < end)
    micros = pl.select(pl.when(inside).then(whole)).to_series() * scale + part
    of_size = (whole >= _AT_LEAST[unit]) & (whole < _BELOW[unit])
    fault = Fault(
        ~of_size & (not exact), f"is not of the size of {UNIT_NAMES[unit]}, as its other numbers"
    )
    return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), fault


def _iso(raw: pl.Series) -> pl.Series:
    """ISO 8601 in all its usual forms: date only, blank for T, no seconds, no zone (UTC)."""
    part = raw.str.extract_groups(_ISO).struct.unnest()
    zone = pl.col("5").str.to_uppercase().str.replace("UTC", "Z", literal=True).fill_null("Z")
    rewritten = pl.concat_str(
        pl.col("1"),
        pl.lit("T"),
        pl.col("2").fill_null("00:00"),
        pl.col("3").fill_null(":00"),
        pl.lit("."),
        pl.concat_str(pl.col("4").fill_null("0"), pl.lit("000000")).str.slice(0, 6),
        zone,
    )
    return part.select(
        rewritten.str.to_datetime(_ZONED, time_unit="us", time_zone="UTC", strict=False)
    ).to_series()
