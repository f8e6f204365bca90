"""Amounts and ids are what stands in the file, to the last digit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_helpers import facts, refused

from graph.schema import AMOUNT
from graph.store import Store
from loaders.amounts import amounts

digits = st.text("0123456789", max_size=25)


@given(
    whole=digits,
    fraction=digits,
    exponent=st.one_of(st.none(), st.integers(-40, 40)),
    sign=st.sampled_from(["", "+", "-"]),
    shift=st.sampled_from([0, 0, 2, 18]),
)
def test_a_number_is_read_exactly_or_refused(
    whole: str, fraction: str, exponent: int | None, sign: str, shift: int
) -> None:
    text = f"{sign}{whole}.{fraction}" + (f"e{exponent}" if exponent is not None else "")
    parsed = amounts(pl.Series([text, "1"]), shift)
    reasons = [fault.reason for fault in parsed.faults if fault.mask[0]]
    if not whole + fraction:
        assert reasons == ["is not a number"]
        return
    with localcontext() as context:
        context.prec = 200
        exact = Decimal(text).scaleb(-shift)
        fits = exact == exact.quantize(Decimal("1e-18")) and abs(exact) < Decimal("1e20")
    if exact >= 0 and fits:
        assert (reasons, parsed.values[0]) == ([], exact)
    else:
        assert reasons
        assert parsed.values[0] is None


@given(st.lists(st.floats(min_value=0, max_value=1e19), max_size=20))
def test_a_float_counts_as_its_shortest_text(numbers: list[float]) -> None:
    parsed = amounts(pl.Series(numbers, dtype=pl.Float64))
    for number, value in zip(numbers, parsed.values, strict=True):
        exact = Decimal(repr(number))
        fits = exact.is_zero() or exact.as_tuple().exponent >= -18  # type: ignore[operator]
        assert value == (exact if fits else None)


@pytest.mark.parametrize(
    "dtype", [pl.Int8, pl.UInt16, pl.Int64, pl.UInt64, pl.Int128, pl.Decimal(38, 0), pl.Float32]
)
def test_every_type_of_number(dtype: pl.DataType) -> None:
    parsed = amounts(pl.Series([0, 7, 100], dtype=dtype))
    assert parsed.values.dtype == AMOUNT
    assert parsed.values.to_list() == [0, 7, 100]
    assert amounts(pl.Series([7], dtype=dtype), shift=1).values.to_list() == [Decimal("0.7")]


def test_wei_in_every_format(
    store: Store, put: Callable[..., str], loading: Any, tmp_path: Path
) -> None:
    wei = ["216982973545339075380", "1", "99999999999999999999999999999999999999"]
    ether = {Decimal(w).scaleb(-18) for w in wei[:2]} | {
        Decimal("99999999999999999999.999999999999999999")
    }
    csv = put("1.csv", "account,amount\n" + "".join(f"a{i},{w}\n" for i, w in enumerate(wei)))
    jsonl = put(
        "2.jsonl", "".join(f'{{"account":"a{i}","amount":{w}}}\n' for i, w in enumerate(wei))
    )
    accounts = [f"a{i}" for i in range(3)]
    for place, dtype in enumerate((pa.decimal128(38, 0), pa.decimal256(60, 0))):
        column = pa.array([Decimal(w) for w in wei], dtype)
        pq.write_table(
            pa.table({"account": accounts, "amount": column}), tmp_path / f"{place}.parquet"
        )
    first = loading(store, "purchases", csv, shift=18)
    assert first.counts.loaded == 3
    assert {row[3] for row in facts(store, "purchases")} == ether
    for path in (jsonl, str(tmp_path / "0.parquet"), str(tmp_path / "1.parquet")):
        assert loading(store, "purchases", path, shift=18).counts.known == 3
    hint = refused(loading(store, "purchases", csv))[0]["reason"]
    assert "--shift" in hint


def test_ids_keep_zeros_and_big_integers(
    store: Store, put: Callable[..., str], loading: Any, tmp_path: Path
) -> None:
    path = put(
        "1.jsonl",
        '{"referrer": 9007199254740993, "referred": "0042"}\n'
        '{"referrer": 123456789012345678901234567890, "referred": -0.10}\n',
    )
    loading(store, "referrals", path)
    assert {row[2:4] for row in facts(store, "referrals")} == {
        ("9007199254740993", "0042"),
        ("123456789012345678901234567890", "-0.10"),
    }
    pl.DataFrame({"referrer": [2**63 - 1], "referred": ["0042"]}).write_parquet(
        tmp_path / "2.parquet"
    )
    loading(store, "referrals", str(tmp_path / "2.parquet"))
    assert ("9223372036854775807", "0042") in {row[2:4] for row in facts(store, "referrals")}


def test_ids_are_trimmed_composed_and_keep_their_case(
    new_store: Callable[..., Store], put: Callable[..., str], loading: Any
) -> None:
    path = put("1.csv", "referrer,referred\n Ab ,cafe\u0301\nAB,caf\u00e9\n")
    kept, folded = new_store(), new_store()
    loading(kept, "referrals", path)
    assert {row[2:4] for row in facts(kept, "referrals")} == {("Ab", "café"), ("AB", "café")}
    loading(folded, "referrals", path, lower=True)
    assert {row[2:4] for row in facts(folded, "referrals")} == {("ab", "café")}


def test_json_numbers_inside_text_and_nested_values_stay(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put(
        "1.jsonl",
        '{"a": "x{\\", :5", "b": "y 1, 2", "verdict": "unrelated", "why": "{\\"n\\": 5}"}\n'
        '{"a": "\\\\", "b": ",5", "verdict": "unrelated", "why": {"n": [1.50, true]}}\n',
    )
    assert loading(store, "links", path).counts.loaded == 2
    assert {(row[2], row[3], row[6]) for row in facts(store, "links")} == {
        ('x{", :5', "y 1, 2", '{"n": 5}'),
        ("\\", ",5", '{"n": ["1.50", true]}'),
    }
