"""Identifiers: chains of devices, crowds on one value, workplaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine_helpers import facts_of, pairs_of

from detectors.clean import Exonerated
from detectors.engine.evidence import Evidence, FamilyPairs
from detectors.engine.judge import Ground
from detectors.family import Facts
from detectors.identifier import DETECTOR as IDENTIFIER
from detectors.identifier import counting

ACCOUNTS = 2000
Seen = tuple[int, str, str]


def verdict(facts: Facts, members: list[int]) -> tuple[float, int]:
    """Bits of a set, and how many ties count."""
    pairs = IDENTIFIER.pairs(facts).collect().to_native()
    a, b, bits = (pairs[name].to_numpy() for name in ("a", "b", "strength"))
    layers = [(IDENTIFIER, layer) for layer in IDENTIFIER.layers(facts, a, b, bits)]
    nowhere: Any = None
    families: Any = [FamilyPairs(IDENTIFIER, a, b, bits)]
    evidence = Evidence(nowhere, facts, families, a, b, bits, layers, frozenset())
    ground = Ground(evidence, np.arange(facts.accounts, dtype=np.int32))
    found = ground.verdict(np.array(sorted(members), np.int32))
    return found.evidence_bits["identifier"], sum(found.ties.values())


def households(count: int, size: int = 3) -> list[Seen]:
    return [
        (1000 + size * number + place, kind, f"home{number}")
        for number in range(count)
        for place in range(size)
        for kind in ("device", "ip")
    ]


def paid_by(payer: int, staff: list[int]) -> Exonerated:
    payments = pl.DataFrame(
        {"src": [payer] * len(staff), "dst": staff, "reason": "payroll", "payments": 3},
        schema_overrides={"src": pl.Int32, "dst": pl.Int32, "payments": pl.UInt32},
    )
    return Exonerated(payments)


def test_devices_handed_on_in_turns_count_once_for_each_member():
    """No device has more than three users, and the chain ties all thirty."""
    turns = [
        (member, "device", f"turn{turn}-{(member + turn) // 3}")
        for turn in range(3)
        for member in range(30)
    ]
    facts = facts_of(ACCOUNTS, sightings=turns + households(60))
    bits, ties = verdict(facts, list(range(30)))
    assert ties == 29
    assert bits > 29 * 7
    assert verdict(facts, list(range(0, 30, 3)))[1] == 0  # every third: no two share


def test_one_kind_more_on_the_same_pairs_adds_nothing():
    device = [(member, "device", f"d{member // 3}") for member in range(12)]
    card = [(member, "card", f"c{member // 3}") for member in range(12)]
    homes, members = households(60), list(range(12))
    either = [facts_of(ACCOUNTS, sightings=kind + homes) for kind in (device, card)]
    both = facts_of(ACCOUNTS, sightings=device + card + homes)
    strongest = max(verdict(facts, members)[0] for facts in either)
    bits, ties = verdict(both, members)
    assert ties == 8
    assert bits == pytest.approx(strongest, rel=0.1)


def test_many_holders_are_tied_by_how_large_a_part_of_them_the_set_is():
    seen = [(account, "device", "emulator") for account in range(100, 140)]
    found = pairs_of(IDENTIFIER, facts_of(ACCOUNTS, sightings=seen))
    assert set(found) == {(account, account + 1) for account in range(100, 139)}
    facts = facts_of(ACCOUNTS, sightings=seen)
    assert verdict(facts, list(range(101, 140)))[1] == 38  # without the first
    assert verdict(facts, list(range(100, 140, 4)))[1] == 0


@pytest.mark.parametrize("kind", ["ip", "address"])
def test_a_workplace_is_no_evidence(kind):
    office = [(account, kind, "office") for account in range(10, 16)]
    home = [(account, kind, "home") for account in range(20, 26)]
    facts = facts_of(ACCOUNTS, sightings=office + home)
    assert len(pairs_of(IDENTIFIER, facts)) == 30
    staffed = replace(facts, exonerated=paid_by(5, [10, 11, 12, 13, 20, 21]))
    found = pairs_of(IDENTIFIER, staffed)
    assert len(found) == 15
    assert all(a >= 20 for a, _ in found)
    cited = counting(staffed, np.arange(10, 26, dtype=np.int32)).collect().to_native()
    assert set(cited["digest"]) == {"home"}


def test_a_phone_that_colleagues_share_is_evidence_all_the_same():
    phone = [(account, "device", "phone") for account in range(10, 14)]
    staffed = replace(
        facts_of(ACCOUNTS, sightings=phone), exonerated=paid_by(5, list(range(10, 14)))
    )
    assert len(pairs_of(IDENTIFIER, staffed)) == 6
