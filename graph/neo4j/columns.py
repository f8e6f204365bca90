"""Between frames and the lists that Bolt carries, column by column.

Amounts are floats where the float's shortest text is the exact amount, else the exact text
stands beside it (`exact`). Times travel as integers: the server makes and reads its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from graph.schema import AMOUNT, TIME

MICRO = 1_000_000
PLAIN_BELOW = 1e9
"""Amounts below this with at most 6 decimals have 15 digits at most: a float tells them apart."""

_MICROS = pa.decimal128(38, 6)


def to_bolt(frame: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> dict[str, list[Any]]:
    """The parameters that carry some columns of a frame: a list each, an amount as `amount`
    and `exact`, a time as seconds and microseconds (`<name>_s`, `<name>_us`)."""
    lists: dict[str, list[Any]] = {}
    for name, dtype in columns.items():
        column = frame[name].cast(dtype)
        if dtype == AMOUNT:
            number, exact = split_amounts(column)
            lists |= {name: number.to_list(), "exact": exact.to_list()}
        elif dtype == TIME:
            micros = column.to_physical()
            lists |= {f"{name}_s": (micros // MICRO).to_list()}
            lists |= {f"{name}_us": (micros % MICRO).to_list()}
        else:
            lists[name] = column.to_list()
    return lists


def split_amounts(amounts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Floats, and the exact text where a float's shortest text is not the amount (else null).

    `amounts`: decimal(38, 18), nulls allowed.
    """
    text = amounts.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    number = text.cast(pl.Float64)
    plain = (_from_micros(number) == amounts) & (number.abs() < PLAIN_BELOW)
    exact = pl.select(pl.when(~plain).then(text)).to_series()
    return number, exact


def join_amounts(number: pl.Series, exact: pl.Series) -> pl.Series:
    """The exact amounts again: decimal(38, 18)."""
    if exact.null_count() == len(exact):
        return _from_micros(number)
    plain = number.set(exact.is_not_null(), 0.0)
    return pl.select(pl.coalesce(exact.cast(AMOUNT), _from_micros(plain))).to_series()


def _from_micros(number: pl.Series) -> pl.Series:
    """Floats below PLAIN_BELOW as decimals of 6 places; others come out as anything."""
    within = pl.select(pl.when(number.abs() < PLAIN_BELOW).then(number)).to_series()
    micros = (within * MICRO).round().cast(pl.Int64).cast(pl.Decimal(38, 0)).to_arrow()
    # the same integers, read as millionths: nothing is computed, nothing is rounded
    millionths = pa.Array.from_buffers(_MICROS, len(micros), micros.buffers(), offset=micros.offset)
    return pl.Series(millionths).cast(AMOUNT)


def from_bolt(lists: Mapping[str, list[Any]], columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The frame that packed lists carry: all `columns`, and `seq` (Int64) in front.

    `lists`: as the read statements return them: a column with nulls lacks them, and then
    `<name>_seq` has the places of its other values. Rows are by ascending `seq`.
    """
    seq = pl.Series("seq", lists["seq"], pl.Int64)
    frame = {"seq": seq}
    for name, dtype in columns.items():
        if dtype == AMOUNT:
            number = _column(lists, name, pl.Float64(), seq)
            frame[name] = join_amounts(number, _column(lists, "exact", pl.String(), seq))
        elif dtype == TIME:
            frame[name] = _column(lists, name, pl.Int64(), seq).cast(TIME)
        else:
            frame[name] = _column(lists, name, dtype, seq)
    return pl.DataFrame(frame).sort("seq")


def _column(
    lists: Mapping[str, list[Any]], name: str, dtype: pl.DataType, seq: pl.Series
) -> pl.Series:
    values = pl.Series(name, lists[name], dtype)
    if len(values) == len(seq):
        return values
    if values.is_empty():
        return pl.repeat(None, len(seq), dtype=dtype, eager=True).alias(name)
    places = pl.Series(lists[f"{name}_seq"], dtype=pl.Int64)
    order = seq.arg_sort()
    found = order.gather(seq.gather(order).search_sorted(places))
    take = np.full(len(seq), -1, np.int64)
    take[found.to_numpy()] = np.arange(len(values))
    at = pl.Series(take).replace({-1: None}) if (take < 0).any() else pl.Series(take)
    return values.gather(at).alias(name)
