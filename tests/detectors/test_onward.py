"""Which payments go on, and how many would by chance, against the same told in plain Python."""

from __future__ import annotations

from math import floor, log2

import numpy as np
import pytest
from engine_helpers import dated_facts
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.moves import DAY, Moves
from detectors.onward import (
    CHANCE_BOUNDS,
    CONTROL_PRIOR,
    KEPT,
    MICRO,
    OWN_PRIOR,
    STEPS_A_DOUBLING,
    WINDOW_DAYS,
    Middles,
    found_and_expected,
    matched,
)

ACCOUNTS = 6

transfers = st.lists(
    st.tuples(
        st.integers(0, ACCOUNTS - 1),
        st.integers(0, ACCOUNTS - 1),
        st.sampled_from((1.0, 50.0, 97.0, 99.0, 100.0, 104.5, 108.7)),
        st.integers(0, 60).map(lambda quarters: quarters / 4),
    ).filter(lambda one: one[0] != one[1]),
    min_size=1,
    max_size=200,
)


def sides(moves: Moves) -> tuple[np.ndarray, np.ndarray]:
    """Of each transfer whether it goes on from whom it came to, and whether it came from what
    came to who sent it."""
    onward = matched(ACCOUNTS, moves)
    origin = np.zeros(len(moves), bool)
    origin[onward[onward >= 0]] = True
    return onward >= 0, origin


def plain_expected(moves: Moves) -> list[float]:
    """What `found_and_expected` expects, one transfer at a time. Backwards in time what is paid
    out goes on as what came in, at more than it was."""
    size, low, high = len(moves), *KEPT
    amounts = moves.amount.tolist()
    steps = [floor(log2(amount) * STEPS_A_DOUBLING) for amount in amounts]
    life = {
        account: np.ptp(moves.at[(moves.src == account) | (moves.dst == account)])
        for account in {*moves.src.tolist(), *moves.dst.tolist()}
    }
    ahead, back = sides(moves), sides_back(moves)
    expected = [0.0] * size
    for side, middle, other, (least, most) in (
        (0, moves.dst, moves.src, (low, high)),
        (1, moves.src, moves.dst, (1 / high, 1 / low)),
    ):

        def chance(row, found, middle=middle, other=other, least=least, most=most):
            theirs = np.flatnonzero(other == middle[row]).tolist()
            fit = sum(least * amounts[row] <= amounts[one] <= most * amounts[row] for one in theirs)
            bounds = [
                floor((log2(amounts[row]) + log2(part)) * STEPS_A_DOUBLING)
                for part in (least, most)
            ]
            # parts of all, one less the other: a chance at a class's bound is of that class
            below = sum(step < bounds[0] for step in steps) / size
            usual = len(theirs) * (sum(step <= bounds[1] for step in steps) / size - below)
            window = WINDOW_DAYS * DAY
            dense = window / max(life[int(middle[row])], window)
            likely = (max(fit - found[row], 0) + usual) * dense
            return likely, sum(bound <= likely for bound in CHANCE_BOUNDS)

        control = [chance(row, back[side]) for row in range(size)]
        factors = {}
        for its in range(len(CHANCE_BOUNDS) + 1):
            rows = [row for row in range(size) if control[row][1] == its]
            by_chance = sum(round(MICRO * control[row][0]) for row in rows) / MICRO
            seen = sum(back[side][rows])
            factors[its] = (seen + CONTROL_PRIOR) / (by_chance + CONTROL_PRIOR)
        own = {}
        for account in range(ACCOUNTS):
            rows = np.flatnonzero(middle == account).tolist()
            by_chance = (
                sum(round(MICRO * control[row][0] * factors[control[row][1]]) for row in rows)
                / MICRO
            )
            own[account] = max((sum(back[side][rows]) + OWN_PRIOR) / (by_chance + OWN_PRIOR), 1.0)
        for row in range(size):
            likely, its = chance(row, ahead[side])
            expected[row] += likely * factors[its] * own[int(middle[row])]
    return expected


def sides_back(moves: Moves) -> tuple[np.ndarray, np.ndarray]:
    """The same with time reversed, at the amounts as they go on in time: by hand, since
    `matched` knows one direction only."""
    size = len(moves)
    into, out = np.zeros(size, bool), np.zeros(size, bool)
    for row in reversed(range(size)):
        for other in reversed(range(size)):
            kept = moves.amount[other] / moves.amount[row]
            rest = moves.at[row] - moves.at[other]
            if (
                moves.src[other] == moves.dst[row]
                and not out[other]
                and 0 < rest <= WINDOW_DAYS * DAY
                and KEPT[0] <= kept <= KEPT[1]
                and moves.dst[other] != moves.src[row]
            ):
                into[row] = out[other] = True
                break
    return into, out


@given(transfers)
@examples(40)
def test_found_and_expected_are_as_told_one_by_one(some):
    moves = Moves.of(dated_facts(ACCOUNTS, some).transfers)
    found, expected = found_and_expected(ACCOUNTS, moves)
    into, out = sides(moves)
    assert found.tolist() == (into.astype(int) + out).tolist()
    assert expected.tolist() == pytest.approx(plain_expected(moves), rel=1e-9, abs=1e-9)


@given(transfers)
def test_accounts_are_shared_out_to_processors_each_once(some):
    moves = Moves.of(dated_facts(ACCOUNTS, some).transfers)
    parts = Middles.of(ACCOUNTS, moves).parts()
    assert [begin for begin, _ in parts] == [0, *(end for _, end in parts[:-1])]
    assert parts[-1][1] == ACCOUNTS
