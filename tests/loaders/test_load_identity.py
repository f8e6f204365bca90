"""What makes a fact itself: the same facts again change nothing, in any order, form or part."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from load_helpers import facts, refused
from long_form import examples

from graph.store import Store, init_store
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import load
from loaders.plan import Options

ROWS = [
    "a,b,1.50,2026-01-01T00:00:00Z,x",
    "a,b,1.50,2026-01-01T00:00:00Z,x",
    "a,b,1.50,2026-01-01T00:00:00Z,y",
    "b,c,2,2026-01-02T10:00:00Z,",
    "c,a,1e-7,2026-01-03T00:00:00.000001Z,z",
]
HEADER = "src,dst,amount,at,memo"


def csv(rows: list[str], header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def test_the_same_file_twice_or_sorted_anew_or_grown(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    assert loading(store, "transfers", put("1.csv", csv(ROWS))).counts.loaded == 5
    first = facts(store, "transfers")
    assert len({row[0] for row in first}) == 5
    for rows in (ROWS, ROWS[::-1], ROWS[:1], ROWS[2:]):
        counts = loading(store, "transfers", put("2.csv", csv(rows))).counts
        assert (counts.loaded, counts.known) == (0, len(rows))
    grown = csv([*ROWS, ROWS[0], "d,a,1,2026-01-04,"])
    counts = loading(store, "transfers", put("3.csv", grown)).counts
    assert (counts.loaded, counts.known) == (2, 5)
    assert set(first) < set(facts(store, "transfers"))


def test_the_form_of_a_file_does_not_matter(
    store: Store, put: Callable[..., str], loading: Any, tmp_path: Path
) -> None:
    loading(store, "transfers", put("1.csv", csv(ROWS)))
    before = facts(store, "transfers")
    frame = pl.DataFrame(
        {
            "memo": ["x", "x", "y", None, "z"],
            "dst": ["b", "b", "b", "c", "a"],
            "src": ["a", "a", "a", "b", "c"],
            "at": [
                "2026-01-01 00:00",
                "2026-01-01",
                "2026-01-01T01:00:00+01:00",
                "2026-01-02T10:00:00.000",
                "2026-01-03T00:00:00.000001999",
            ],
            "amount": [1.5, 1.5, 1.5, 2.0, 1e-7],
        }
    )
    typed = frame.with_columns(
        pl.Series(
            "at",
            [
                1767225600000000,
                1767225600000000,
                1767225600000000,
                1767348000000000,
                1767398400000001,
            ],
        ).cast(pl.Datetime("us", "UTC"))
    )
    decimal = typed.with_columns(
        pl.col("amount").cast(pl.Decimal(38, 9)), src=pl.col("src").cast(pl.Categorical)
    )
    frame.write_ndjson(tmp_path / "2.jsonl")
    frame.write_parquet(tmp_path / "3.parquet")
    typed.write_parquet(tmp_path / "4.parquet")
    decimal.write_parquet(tmp_path / "5.parquet")
    frame.write_csv(tmp_path / "6.csv", separator=";", quote_style="always")
    put(
        "7.csv",
        b"\xef\xbb\xbf"
        + csv([r.replace(",b,", ", b ,") for r in ROWS]).replace("\n", "\r\n\r\n").encode(),
    )
    for name in ("2.jsonl", "3.parquet", "4.parquet", "5.parquet", "6.csv", "7.csv"):
        counts = loading(store, "transfers", str(tmp_path / name)).counts
        assert (counts.loaded, counts.known, counts.quarantined) == (0, 5, 0), name
    assert facts(store, "transfers") == before


def test_an_ignored_column_still_tells_rows_apart_and_distinct_does_not_change_that(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    counts = loading(store, "transfers", put("1.csv", csv(ROWS)), distinct=True).counts
    assert (counts.loaded, counts.known) == (4, 1)
    assert "Ignored column: memo." in loading.said


def test_values_cannot_be_mistaken_for_other_columns(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    rows = ["a,b,p\x1f+y=q,", "a,b,p,q", 'a,b,"p\x1f\x1f+y=q",', "a,b,,p"]
    path = put("1.csv", csv(rows, "src,dst,x,y"))
    assert loading(store, "transfers", path, distinct=True).counts.loaded == 4


def test_the_same_row_of_two_sources_is_two_facts(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("1.csv", csv(ROWS[:1]))
    assert loading(store, "transfers", path, source="bank.eu").counts.loaded == 1
    assert loading(store, "transfers", path, source="bank-us").counts.loaded == 1
    assert {row[0].split("#")[0] for row in facts(store, "transfers")} == {"bank.eu", "bank-us"}


def test_equal_rows_are_counted_in_each_file(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    one, two = put("1.csv", csv(ROWS[:1] * 2)), put("2.csv", csv(ROWS[:1] * 3))
    counts = loading(store, "transfers", one, two).counts
    assert (counts.read, counts.loaded, counts.known) == (5, 3, 2)


def test_an_id_makes_the_uid_and_other_columns_do_not_matter(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    loading(store, "transfers", put("1.csv", "src,dst,amount,id,memo\na,b,1, 007 ,x\n"))
    counts = loading(store, "transfers", put("2.csv", "id,dst,src,amount\n007,b,a,1.0\n")).counts
    assert (counts.loaded, counts.known) == (0, 1)
    assert facts(store, "transfers")[0][0] == "transfers:007"


def test_joined_ids_are_never_ambiguous(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    rows = ["a,b,1+2,3", "a,b,1,2+3", "a,b,1\\,2", "a,b,1,\\2", "a,b,1,", "a,b,,1"]
    path = put("1.csv", csv(rows, "src,dst,tx,token"))
    assert loading(store, "transfers", path, map=("id=tx+token",)).counts.loaded == 6
    assert "transfers:1\\+2+3" in {row[0] for row in facts(store, "transfers")}


def test_a_row_whose_id_is_empty_is_named_by_its_content(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("1.csv", "src,dst,id\na,b,1\na,b,\na,b,\n")
    for loaded in (3, 0):
        assert loading(store, "transfers", path).counts.loaded == loaded
    assert sorted("#" in row[0] for row in facts(store, "transfers")) == [False, True, True]


# -- same uid, other content ------------------------------------------------------------


def test_other_content_is_a_conflict_and_a_correction_supersedes(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    def amount(value: str) -> str:
        return put("in.csv", f"src,dst,amount,id\na,b,{value},t1\n")

    loading(store, "transfers", amount("1"))
    result = loading(store, "transfers", amount("2"))
    assert result.counts.conflicts == 1
    assert refused(result)[0]["column"] == "id"
    assert refused(result)[0]["value"] == "t1"
    assert "--correct" in refused(result)[0]["reason"]
    assert [row[1:5] for row in facts(store, "transfers")] == [(1, "a", "b", Decimal(1))]

    corrected = loading(store, "transfers", amount("2"), correct=True)
    assert corrected.counts.loaded == 1
    assert [row[1:5] for row in facts(store, "transfers")] == [(2, "a", "b", Decimal(2))]
    for value in ("1", "2"):  # equal to a revision that is visible
        assert loading(store, "transfers", amount(value)).counts.known == 1
    assert loading(store, "transfers", amount("2"), correct=True).counts.known == 1
    assert loading(store, "transfers", amount("1"), correct=True).counts.loaded == 1
    assert [row[1:5] for row in facts(store, "transfers")] == [(3, "a", "b", Decimal(1))]

    store.withdraw(corrected.batch)
    assert loading(store, "transfers", amount("2")).counts.conflicts == 1
    assert loading(store, "transfers", amount("2"), correct=True).counts.loaded == 1
    assert facts(store, "transfers")[0][1] == 4


def test_what_was_withdrawn_can_be_loaded_again(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", csv(ROWS))
    first = loading(store, "transfers", path)
    contents = facts(store, "transfers", "revision")
    store.withdraw(first.batch)
    assert loading(store, "transfers", path).counts.loaded == 5
    assert facts(store, "transfers", "revision") == contents
    assert {row[1] for row in facts(store, "transfers")} == {2}


def test_within_one_load_the_first_row_of_an_id_stands(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    one = put("1.csv", "src,dst,amount,id\na,b,1,t1\na,b,1,t1\na,b,2,t1\n")
    two = put("2.csv", "src,dst,amount,id\na,b,2,t1\na,b,1,t1\na,b,3,t2\n")
    counts = loading(store, "transfers", one, two).counts
    assert (counts.loaded, counts.known, counts.conflicts) == (2, 2, 2)


# -- any order, any parts ---------------------------------------------------------------

transfer_rows = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("abc"),
        st.sampled_from(["1", "2.5"]),
        st.sampled_from(["2026-01-01", "2026-01-02"]),
    ).map(",".join),
    min_size=1,
    max_size=12,
)


def loaded_as(folder: Path, name: str, parts: list[list[str]]) -> list[tuple[object, ...]]:
    """The facts after these parts of one export were loaded one after the other, each with
    all that came before it."""
    store = init_store(str(folder / name))
    so_far: list[str] = []
    for part in parts:
        so_far += part
        path = folder / "part.csv"
        path.write_text(csv(so_far, "src,dst,amount,at"))
        with inputs([str(path)], None) as readers:
            load(store, sources()["transfers"], readers, Options())
    return facts(store, "transfers", "uid")


@examples(6, suppress_health_check=[HealthCheck.too_slow])
@given(rows=transfer_rows, seed=st.integers(0, 99), cut=st.integers(0, 12))
def test_order_and_parts_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], seed: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    shuffled = random.Random(seed).sample(rows, len(rows))
    whole = loaded_as(folder, "whole", [rows])
    assert len(whole) == len(rows)
    assert loaded_as(folder, "shuffled", [shuffled]) == whole
    assert loaded_as(folder, "parts", [rows[:cut], rows[cut:]]) == whole


@pytest.mark.parametrize("with_id", [True, False])
def test_repeats_are_found_across_chunks(
    store: Store,
    tmp_path: Path,
    loading: Any,
    monkeypatch: pytest.MonkeyPatch,
    with_id: bool,
) -> None:
    monkeypatch.setattr("loaders.parquet_files.CHUNK_ROWS", 7)
    numbers = [*range(40), *range(20), *range(10)]
    frame = pl.DataFrame({"src": [f"s{n}" for n in numbers], "dst": ["d"] * 70, "amount": numbers})
    if with_id:
        frame = frame.with_columns(id=pl.col("src"))
        frame[69, "amount"] = 99
    path = str(tmp_path / "in.parquet")
    frame.write_parquet(path)
    counts = loading(store, "transfers", path).counts
    if with_id:
        assert (counts.loaded, counts.known, counts.conflicts) == (40, 29, 1)
    else:
        assert counts.loaded == 70
    assert loading(store, "transfers", path).counts.loaded == 0
    amounts = sorted(int(row[4]) for row in facts(store, "transfers"))
    assert amounts == (list(range(40)) if with_id else sorted(numbers))


def test_distinct_reaches_across_chunks_and_files(
    store: Store, tmp_path: Path, loading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loaders.parquet_files.CHUNK_ROWS", 7)
    frame = pl.DataFrame({"src": [f"s{n % 25}" for n in range(60)], "dst": ["d"] * 60})
    paths = [str(tmp_path / name) for name in ("1.parquet", "2.parquet")]
    for path in paths:
        frame.write_parquet(path)
    counts = loading(store, "transfers", *paths, distinct=True).counts
    assert (counts.loaded, counts.known) == (25, 95)


def test_accounts_keep_their_names_over_columns_and_chunks(
    store: Store, tmp_path: Path, loading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loaders.parquet_files.CHUNK_ROWS", 100)
    order = random.Random(7)
    pairs = {(f"n{order.randrange(50)}", f"n{order.randrange(50)}") for _ in range(700)}
    frame = pl.DataFrame(list(pairs), schema=["referrer", "referred"], orient="row")
    frame.write_parquet(tmp_path / "in.parquet")
    loading(store, "referrals", str(tmp_path / "in.parquet"))
    assert {row[2:4] for row in facts(store, "referrals")} == pairs


def test_whole_float_ids_are_the_same_accounts_as_integers(tmp_path):
    """A column of integers with gaps is often written as floats: 3.0 is account 3."""
    from graph.store import init_store
    from loaders.files import inputs
    from loaders.kinds import sources
    from loaders.load import Options, load

    store = init_store(str(tmp_path / "store"))
    for name, src in (("floats", [3.0, None, 7.5]), ("integers", [3, 4, 5])):
        file = tmp_path / f"{name}.parquet"
        pl.DataFrame({"src": src, "dst": ["x", "y", "z"]}).write_parquet(file)
        with inputs([str(file)], None) as readers:
            load(store, sources()["transfers"], readers, Options())
    accounts = set(store.accounts().collect()["account"])
    assert accounts == {"3", "7.5", "4", "5", "x", "y", "z"}
