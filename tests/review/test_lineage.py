"""Which case a finding continues."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.lineage import SETS, Match, alike, match

Sets = Mapping[str, Mapping[str, float]]


def frame(sets: Sets) -> pl.DataFrame:
    rows = [(name, account, share) for name, of in sets.items() for account, share in of.items()]
    return pl.DataFrame(rows, SETS, orient="row")


def even(accounts: str, share: float = 0.01) -> dict[str, float]:
    return dict.fromkeys(accounts, share)


def test_a_group_that_lost_one_and_won_one_is_the_same() -> None:
    found = match(frame({"c": even("abcd")}), frame({"f": even("abce")}))
    assert found.findings == {"f": Match("unchanged", "c", pytest.approx(3 / 5))}
    assert (found.merged, found.gone) == ({}, [])


def test_it_grew_or_shrank_by_what_it_holds() -> None:
    before = frame({"c": even("abcd")})
    assert match(before, frame({"f": even("abcde")})).findings["f"].change == "grew"
    assert match(before, frame({"f": even("abc")})).findings["f"].change == "shrank"
    assert match(before, frame({"f": even("abcd", 0.0102)})).findings["f"].change == "unchanged"


def test_the_rich_decide_more_than_the_many() -> None:
    """Two of six accounts hold nearly all: with them goes the case."""
    case = {"a": 0.02, "b": 0.02, **even("wxyz", 0.0001)}
    found = match(
        frame({"c": case}), frame({"rich": even("ab", 0.02), "many": even("wxyz", 0.0001)})
    )
    assert found.findings["rich"].case == "c"
    assert found.findings["rich"].change == "unchanged"
    assert found.findings["many"] == Match("split", "c", pytest.approx(0.0004 / 0.0404))


def test_a_split_and_a_merger() -> None:
    whole = frame({"c": {**even("abcd", 0.02), **even("wxyz", 0.01)}})
    parts = frame({"f": even("abcd", 0.02), "g": even("wxyz", 0.01)})
    split = match(whole, parts)
    assert split.findings["f"].case == "c"
    assert split.findings["g"].change == "split"
    merged = match(
        frame({"c": even("abcd", 0.02), "d": even("wxyz", 0.01)}),
        frame({"f": {**even("abcd", 0.02), **even("wxyz", 0.01)}}),
    )
    assert merged.findings["f"].case == "c"
    assert merged.merged == {"d": "c"}
    assert merged.gone == []


def test_strangers_are_born_and_what_is_not_there_is_gone() -> None:
    found = match(frame({"c": even("abcd")}), frame({"f": even("wxyz")}))
    assert found.findings == {"f": Match("born")}
    assert found.gone == ["c"]
    one_in_common = match(frame({"c": even("abcdefghijk")}), frame({"f": even("kwxyzuvstq")}))
    assert one_in_common.findings["f"].change == "born"


def test_nothing_before_and_nothing_now() -> None:
    assert match(frame({}), frame({"f": even("ab")})).findings == {"f": Match("born")}
    assert match(frame({"c": even("ab")}), frame({})).gone == ["c"]


def test_accounts_that_hold_nothing_are_somebody_too() -> None:
    found = match(frame({"c": even("ab", 0.0)}), frame({"f": even("ab", 0.0)}))
    assert found.findings["f"].case == "c"


SOME = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.0001, 0.03), min_size=1, max_size=8)


@given(
    st.dictionaries(st.sampled_from(["c1", "c2", "c3"]), SOME),
    st.dictionaries(st.sampled_from(["f1", "f2", "f3"]), SOME),
)
def test_every_finding_and_every_case_has_one_fate(before: Sets, now: Sets) -> None:
    found = match(frame(before), frame(now))
    assert set(found.findings) == set(now)
    continued = [
        one.case for one in found.findings.values() if one.change in ("grew", "shrank", "unchanged")
    ]
    assert len(set(continued)) == len(continued)
    fates = [*continued, *found.merged, *found.gone]
    assert sorted(map(str, fates)) == sorted(before)
    assert set(found.merged.values()) <= set(continued)


@given(SOME, SOME)
def test_how_alike_two_sets_are(one: Mapping[str, float], other: Mapping[str, float]) -> None:
    weights = {a: max(one.get(a, 0), other.get(a, 0)) for a in {*one, *other}}
    both = sum(weights[a] for a in weights if a in one and a in other)
    rows = alike(frame({"c": one}), frame({"f": other}))
    wanted = both / sum(weights.values())
    assert (rows["alike"].item() if len(rows) else 0.0) == pytest.approx(wanted)
    again = match(frame({"c": one}), frame({"f": dict(one)}))
    assert again.findings["f"] == Match("unchanged", "c", pytest.approx(1.0))
