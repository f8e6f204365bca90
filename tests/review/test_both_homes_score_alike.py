"""Scores and genuine purchases of one town are the same whichever home its store has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from score_towns import Ground, Town, numbers

from graph.store import HOLDINGS_RULES
from review.genuine import MIXING
from review.indicators import names
from review.population import Population
from review.score import scores

PEOPLE = [f"a{number:02}" for number in range(30)]
RING = PEOPLE[:3]


def town() -> Town:
    """Whatever an indicator looks at: facts of every kind, some without a time."""
    made, draw = Town(), np.random.default_rng(3)
    for src, dst, amount in draw.integers(0, 30, (200, 3)).tolist():
        made.pay(PEOPLE[src], PEOPLE[dst], amount + 1, float(amount))
    for turn in range(12):
        for place, account in enumerate(RING):
            made.pay(account, "shop", 17 + 3 * turn, 2.3 * turn + place / 48)
    made.pay("issuer", "a05", "12.5", None)
    for place, account in enumerate(PEOPLE):
        made.hold(f"{place}.000000000000000001", account)
        made.buy(account, place + 1, place / 2, receipt=f"r{place}" if place % 3 else None)
        made.see(account, f"device {place // 4}")
        made.open(account, place + 0.5)
        made.refer(PEOPLE[place // 3], account)
    made.open("shop", role="merchant")
    return made


@pytest.mark.parametrize("rule", HOLDINGS_RULES)
def test_scores_and_genuine_purchases(neo4j_url: str, tmp_path: Path, rule: str) -> None:
    told = []
    for server in (None, neo4j_url):
        ground = Ground(tmp_path / ("server" if server else "folder"), server)
        found = town().settle(ground, holdings_rule=rule, issuers=["issuer"])
        groups = {"ring": numbers(found, *RING)}
        weights = dict.fromkeys(names(), 8) | {"identifiers": 12}
        genuine = [Population(found, groups, one).genuine.of([0, 1, 2]) for one in sorted(MIXING)]
        told.append((scores(found, weights, groups, range(30)), genuine))
    assert told[0] == told[1]
    values = [one["value"] for one in told[0][0]["groups"]["ring"]["indicators"]]
    assert len([value for value in values if value is not None]) > 9
