"""The judge, refinement and splitting against slow, plain recomputation."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import comb, inf, lgamma, log, log2

import networkx as nx
import numpy as np
import pytest
from engine_helpers import dated_facts, evidence_of, facts_of, lazy
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.compound import compounds
from detectors.engine.count import count_inside
from detectors.engine.judge import Ground, _mixing
from detectors.engine.line import _alone
from detectors.engine.refine import refine
from detectors.engine.split import _beside_hinge, last_parts, split, without_households

ACCOUNTS = 30


@st.composite
def neighbourhoods(draw):
    """Evidence of three families among a few of 30 accounts of several tiers of wealth."""
    someone = st.integers(0, 11)
    deals = draw(st.lists(st.tuples(someone, someone, st.sampled_from([1, 10, 500])), max_size=60))
    seen = draw(
        st.lists(
            st.tuples(someone, st.sampled_from(["device", "ip"]), st.sampled_from("abcde")),
            max_size=25,
        )
    )
    links = draw(st.lists(st.tuples(someone, someone, st.just("same_owner")), max_size=4))
    tiers = draw(st.lists(st.integers(0, 4), min_size=ACCOUNTS, max_size=ACCOUNTS))
    background = [(a, a + 1, 5) for a in range(12, 29)]
    facts = facts_of(
        ACCOUNTS,
        [deal for deal in deals if deal[0] != deal[1]] + background,
        [(account, kind, kind + value) for account, kind, value in seen],
        links,
        tiers,
    )
    return evidence_of(facts)


sets = st.sets(st.integers(0, 15), min_size=2, max_size=10)


def mixing(evidence, chosen):
    """Observed over expected contacts of two tiers, without the set's own contacts."""
    contacts, tiers = evidence.facts.contacts, evidence.facts.tiers
    observed = np.zeros((5, 5))
    for a, b in zip(contacts.a.tolist(), contacts.b.tolist(), strict=True):
        if not (a in chosen and b in chosen):
            observed[tiers[a], tiers[b]] += 1
            if tiers[a] != tiers[b]:
                observed[tiers[b], tiers[a]] += 1
    expected = np.zeros((5, 5))
    for u, v in combinations(range(evidence.accounts), 2):
        chance = contacts.weights[u] * contacts.weights[v]
        expected[tiers[u], tiers[v]] += chance
        if tiers[u] != tiers[v]:
            expected[tiers[v], tiers[u]] += chance
    return (observed + 10) / (expected + 10)


def ties_inside(evidence, chosen):
    """Ties of each layer inside a set; shared values as a forest over their family's layers."""
    counts = []
    forests = {}
    for family, layer in evidence.layers:
        pairs = zip(layer.a.tolist(), layer.b.tolist(), strict=True)
        inside = [pair for pair in pairs if pair[0] in chosen and pair[1] in chosen]
        if not layer.tree:
            counts.append(len(inside))
            continue
        graph = forests.setdefault(family.name, nx.Graph())
        graph.add_nodes_from(chosen)
        before = nx.number_connected_components(graph)
        graph.add_edges_from(inside)
        counts.append(before - nx.number_connected_components(graph))
    return counts


def chance_inside(evidence, layer, chosen, without, counts):
    """What strangers would have; of layers that are given others, what these let expect."""
    if layer.rates is not None and layer.given:
        return max(layer.rates[0] * counts[layer.given], 1e-9)
    if layer.rates is not None:
        contacts = evidence.facts.contacts
        ends = zip(contacts.a.tolist(), contacts.b.tolist(), contacts.code.tolist(), strict=True)
        usual = sum(layer.rates[code] for a, b, code in ends if a in chosen and b in chosen)
        return max(usual, 1e-9)
    tiers = evidence.facts.tiers
    mixed = mixing(evidence, without) if layer.mixes_by_wealth else np.ones((5, 5))
    expected = sum(
        layer.weights[u] * layer.weights[v] * mixed[tiers[u], tiers[v]]
        for u, v in combinations(sorted(chosen), 2)
    )
    return max(expected, 1e-9)


def plain_verdict(evidence, chosen, without=None):
    """Bits by family, cost, bits beyond a club, and those by which members have few contacts
    left, from the definition."""
    without = chosen if without is None else without
    bits = {family.name: 0.0 for family, _ in evidence.layers}
    by_club = 0.0
    counts = ties_inside(evidence, chosen)
    by_name = {layer.name: e for (_, layer), e in zip(evidence.layers, counts, strict=True)}
    for (family, layer), e in zip(evidence.layers, counts, strict=True):
        chance = chance_inside(evidence, layer, chosen, without, by_name)
        saved = 0.0
        if layer.for_extent:
            continue
        if layer.fixed_bits is not None:
            saved = e * layer.fixed_bits
        elif e > chance:
            saved = e * log2(e / chance) - (e - chance) / log(2) - log2(e + 1) / 2
        bits[family.name] += max(saved, 0.0)
        if layer.contacts or layer.usual_in_clubs:
            by_club += max(saved, 0.0)
    for family, speaking, chance in given_contacts(evidence, chosen, without, counts, by_name):
        total = by_name["contacts"]
        rest, usual = total - sum(speaking), max(total - sum(chance), 1e-9)
        bits[family] += (rest * log2(rest / usual) if rest else 0.0) - (rest - usual) / log(2)
    used = 0.0
    (family, layer) = next(pair for pair in evidence.layers if pair[1].contacts)
    if by_name["contacts"] > chance_inside(evidence, layer, chosen, without, by_name):
        used = used_up(evidence, chosen)
        bits[family.name] += used
        by_club += used
    sizes = np.bincount(evidence.facts.tiers, minlength=5).tolist()
    inside = np.bincount(evidence.facts.tiers[sorted(chosen)], minlength=5).tolist()
    cost = sum(log2(comb(n, k)) for n, k in zip(sizes, inside, strict=True))
    cost += log2(comb(len(chosen) + 4, 4)) + log2(evidence.accounts) / 2
    return bits, cost, sum(bits.values()) - by_club, used


def given_contacts(evidence, chosen, without, counts, by_name):
    """Families that speak given contacts: the ties and the chance of their speaking layers."""
    found = {}
    for (family, layer), e in zip(evidence.layers, counts, strict=True):
        if layer.rates is None or layer.given or layer.for_extent:
            continue
        chance = chance_inside(evidence, layer, chosen, without, by_name)
        saved = e * log2(max(e, 1) / chance) - (e - chance) / log(2) - log2(e + 1) / 2
        if e > chance and saved > 0:
            key = family.name, layer.usual_in_clubs
            found.setdefault(key, ([], []))
            found[key][0].append(e)
            found[key][1].append(chance)
    return [(name, *both) for (name, _), both in found.items()]


def used_up(evidence, chosen):
    """Sum over members with a part f of their d contacts inside: d ((1 - f) ln(1 - f) + f)."""
    contacts = evidence.facts.contacts
    ends = list(zip(contacts.a.tolist(), contacts.b.tolist(), strict=True))
    total = 0.0
    for member in chosen:
        degree = sum(member in pair for pair in ends)
        part = sum(member in pair and set(pair) <= set(chosen) for pair in ends) / max(degree, 1)
        left = (1 - part) * log(1 - part) if part < 1 else 0.0
        total += degree * (left + part)
    return total / log(2)


def ground_of(evidence):
    return Ground(evidence, np.arange(evidence.accounts, dtype=np.int32))


def places(chosen):
    return np.array(sorted(chosen), np.int32)


@examples(80)
@given(neighbourhoods(), sets)
def test_a_verdict_is_what_its_definition_says(evidence, chosen):
    ground = ground_of(evidence)
    bits, cost, beyond, used = plain_verdict(evidence, chosen)
    found = ground.verdict(places(chosen))
    assert found.evidence_bits == pytest.approx(bits, abs=1e-6)
    assert found.cost_bits == pytest.approx(cost, abs=1e-6)
    assert found.beyond_club_bits == pytest.approx(beyond, abs=1e-6)
    assert found.used_up_bits == pytest.approx(used, abs=1e-6)
    assert found.strength_bits == pytest.approx(sum(bits.values()) - cost, abs=1e-6)
    assert list(found.ties.values()) == ties_inside(evidence, chosen)


@examples(60)
@given(neighbourhoods(), sets, sets)
def test_bits_between_two_sets_are_those_of_the_ties_that_only_both_have(evidence, one, other):
    other = other - one
    if not other:
        return
    both, wanted = one | other, 0.0
    counts = [ties_inside(evidence, part) for part in (both, one, other)]
    for place, (_, layer) in enumerate(evidence.layers):
        if layer.for_extent:
            continue
        chances = [
            chance_inside(
                evidence, layer, part, both, dict(zip(named(evidence), ties, strict=True))
            )
            for part, ties in zip((both, one, other), counts, strict=True)
        ]
        e = counts[0][place] - counts[1][place] - counts[2][place]
        chance = max(chances[0] - chances[1] - chances[2], 1e-9)
        if layer.fixed_bits is not None:
            wanted += e * layer.fixed_bits
        elif e > chance:
            wanted += max(e * log2(e / chance) - (e - chance) / log(2) - log2(e + 1) / 2, 0.0)
    ground = ground_of(evidence)
    assert ground.bits_between(places(one), places(other)) == pytest.approx(wanted, abs=1e-3)
    assert ground.bits_between(places(other), places(one)) == pytest.approx(wanted, abs=1e-3)


def named(evidence):
    return [layer.name for _, layer in evidence.layers]


@examples(40)
@given(neighbourhoods(), sets)
def test_a_verdict_does_not_depend_on_what_else_lies_on_the_ground(evidence, chosen):
    alone = Ground(evidence, places(chosen))
    small = alone.verdict(alone.local(places(chosen)))
    assert small == ground_of(evidence).verdict(places(chosen))


@examples(60)
@given(neighbourhoods(), sets)
def test_the_part_that_hangs_together_is_the_largest_component(evidence, chosen):
    ground = ground_of(evidence)
    graph = nx.Graph()
    for _, layer in evidence.layers:
        if not layer.for_extent:
            graph.add_edges_from(zip(layer.a.tolist(), layer.b.tolist(), strict=True))
    inside = graph.subgraph(chosen)
    parts = [part for part in nx.connected_components(inside) if len(part) > 1]
    found = set(ground.connected_part(places(chosen)).tolist())
    if not parts:
        assert found == set()
    else:
        assert found in parts
        assert len(found) == max(map(len, parts))


@examples(50)
@given(
    neighbourhoods(),
    sets,
    st.lists(st.integers(0, 9), min_size=ACCOUNTS, max_size=ACCOUNTS),
    st.integers(1, 40),
)
def test_a_refined_set_is_connected_and_never_below_the_line(evidence, chosen, holdings, line):
    ground = ground_of(evidence)
    amounts = np.array(holdings)
    refined = refine(ground, places(chosen), lambda some: bool(amounts[some].sum() >= line))
    start = ground.connected_part(places(chosen))
    if refined is None:
        assert amounts[start].sum() < line or len(start) < 2
        return
    found, verdict = refined
    assert amounts[found].sum() >= line
    assert len(found) >= 2
    assert found.tolist() == sorted(set(found.tolist()))
    assert ground.connected_part(found).tolist() == found.tolist()
    assert verdict == ground.verdict(found)
    if len(start) >= 2 and amounts[start].sum() >= line:
        assert verdict.extent_bits >= ground.verdict(start).extent_bits


@examples(60)
@given(neighbourhoods(), sets)
def test_a_set_weighs_what_its_verdict_says(evidence, chosen):
    ground = ground_of(evidence)
    verdict = ground.verdict(places(chosen))
    assert ground.strength_bits(places(chosen)) == pytest.approx(verdict.strength_bits, abs=1e-9)
    assert ground.extent_bits(places(chosen)) == pytest.approx(verdict.extent_bits, abs=1e-9)
    held = sum(verdict.evidence_bits.values()) - verdict.used_up_bits
    assert ground.held_bits(places(chosen)) == pytest.approx(held, abs=1e-9)


@examples(60)
@given(
    neighbourhoods(),
    sets,
    st.lists(st.sampled_from([0.0, 1.0, 30.0]), min_size=ACCOUNTS, max_size=ACCOUNTS),
    st.integers(1, 4),
)
def test_who_is_tied_besides_costs_least_for_what_it_holds(evidence, chosen, holdings, most):
    held = np.array(holdings)
    ground = ground_of(replace(evidence, facts=replace(evidence.facts, holdings=held)))
    candidates, gains, otherwise = ground.gains(places(chosen))
    named = ground.naming(places(chosen), candidates)
    tied = (gains + named > 0) & (otherwise + named > 0) & ~np.isin(candidates, places(chosen))
    losses = np.maximum(-gains[tied], 0.0)
    prices = losses / np.maximum(held[candidates[tied]], 1e-30)
    order = np.lexsort((candidates[tied], -gains[tied], prices))[:most]
    found, lost = ground.tied_besides(places(chosen), most)
    assert found.tolist() == candidates[tied][order].tolist()
    assert lost.tolist() == losses[order].tolist()


@examples(60)
@given(neighbourhoods(), sets)
def test_who_adds_to_a_set_does_not_come_in_by_a_household(evidence, chosen):
    ground = ground_of(evidence)
    candidates, gains, otherwise = ground.gains(places(chosen))
    kept, otherwise = candidates[gains > 0], otherwise[gains > 0]
    homes, tied = nx.Graph(), set()
    homes.add_nodes_from(kept.tolist())
    for _, layer in evidence.layers:
        pairs = zip(layer.a.tolist(), layer.b.tolist(), strict=True)
        inside = [(a, b) for a, b in pairs if a in homes and b in homes and not layer.for_extent]
        tied.update(inside)
        homes.add_edges_from(inside if layer.shared else [])
    wanted = []
    for one, bits in zip(kept.tolist(), otherwise.tolist(), strict=True):
        home = nx.node_connected_component(homes, one)
        beyond = any(one in pair and not set(pair) <= home for pair in tied)
        if len(home) > 8 or (bits > 0 and (beyond or len(home) == len(kept))):
            wanted.append(one)
    assert ground.who_adds(places(chosen)).tolist() == wanted


def two_cliques(chance_ties):
    """Two circles of six who deal hard among themselves, and ties between them."""
    deals = []
    for first in (0, 6):
        deals += [(a, b, 100) for a, b in combinations(range(first, first + 6), 2)] * 6
    deals += [(a, 6 + a, 1) for a in range(chance_ties)]
    # strangers who meet once, so that the circles stand out
    draw = np.random.default_rng(3)
    for a, b in draw.integers(12, 400, (900, 2)).tolist():
        if a != b:
            deals.append((a, b, 10))
    return evidence_of(facts_of(400, deals, tiers=[4] * 400))


def test_two_groups_with_a_chance_tie_are_told_apart_and_one_group_is_not():
    for chance_ties, expected in ((1, [set(range(6)), set(range(6, 12))]), (0, None)):
        evidence = two_cliques(chance_ties)
        ground = ground_of(evidence)
        whole = places(range(12)) if expected else places(range(6))
        parts = split(ground, whole, ground.verdict(whole), lambda some: len(some) >= 6)
        found = None if parts is None else sorted((set(part.tolist()) for part in parts), key=min)
        assert found == expected


@examples(40)
@given(neighbourhoods(), sets)
def test_what_a_set_falls_into_hangs_together_and_is_never_the_set(evidence, chosen):
    ground = ground_of(evidence)
    whole = ground.connected_part(places(chosen))
    if len(whole) < 2:
        return
    for part in split(ground, whole, ground.verdict(whole), lambda _: True) or []:
        assert len(part) >= 2
        assert ground.connected_part(part).tolist() == part.tolist()
        assert part.tolist() != whole.tolist()


def test_two_circles_that_cross_the_line_only_together_are_no_set():
    """Neither holds enough, and one tie between them does not make them one."""
    ground = ground_of(two_cliques(1))
    whole = places(range(12))
    parts = split(ground, whole, ground.verdict(whole), lambda some: len(some) >= 12)
    assert parts is not None
    assert [len(part) for part in parts] == [6, 6]


def test_the_last_parts_of_two_circles_are_the_two():
    ground = ground_of(two_cliques(3))
    found = [set(part.tolist()) for part, _ in last_parts(ground, places(range(12)))]
    assert set(range(6)) in found
    assert set(range(6, 12)) in found


def test_a_group_is_completed_with_its_idle_members_only_to_hold_enough():
    """Nine deal hard with each other; a tenth deals with two of them once. Without its
    holdings they are below the line."""
    deals = [(a, b, 100) for a, b in combinations(range(9), 2)] * 6
    deals += [(7, 9, 100), (8, 9, 100)]
    draw = np.random.default_rng(3)
    deals += [(a, b, 10) for a, b in draw.integers(10, 4000, (9000, 2)).tolist() if a != b]
    ground = ground_of(evidence_of(facts_of(4000, deals, tiers=[4] * 4000)))
    core = refine(ground, places(range(9)), lambda _: True)
    assert core is not None
    assert core[0].tolist() == list(range(9))
    full = refine(ground, places(range(9)), lambda some: len(some) >= 10)
    assert full is not None
    assert full[0].tolist() == list(range(10))
    assert full[1].extent_bits < core[1].extent_bits
    assert refine(ground, places(range(9)), lambda some: len(some) >= 14) is None


def test_documents_are_no_club():
    facts = facts_of(40, links=[(a, a + 1, "same_owner") for a in range(5)])
    verdict = ground_of(evidence_of(facts)).verdict(places(range(6)))
    assert 0 < verdict.beyond_club_bits < inf
    assert verdict.evidence_bits["flow"] == 0
    assert verdict.beyond_club_bits == verdict.evidence_bits["links"]


def test_the_household_of_one_member_stays_out_and_one_that_deals_with_others_stays_in():
    group = list(range(6))
    deals = [(a, b, 5) for a, b in combinations(group, 2)]
    family_of_0 = [(0, "device", "d0"), (6, "device", "d0"), (7, "device", "d0")]
    family_of_1 = [(1, "device", "d1"), (8, "device", "d1")]
    at_home = [(6, 0, 5), (7, 6, 5)]
    with_others = [(8, 1, 5), (8, 2, 5), (8, 3, 5)]
    friend_without_device = [(9, 4, 5)]
    evidence = evidence_of(
        facts_of(
            ACCOUNTS,
            deals + at_home + with_others + friend_without_device,
            family_of_0 + family_of_1,
            [],
            [0] * ACCOUNTS,
        )
    )
    ground = ground_of(evidence)
    assert without_households(ground, places(range(10))).tolist() == [0, 1, 2, 3, 4, 5, 8, 9]
    assert without_households(ground, places(group)).tolist() == group


def test_whom_more_than_a_household_ties_to_the_group_stays_with_it():
    """An owner hands twelve their holdings and three of these use its device: they are no
    family of it, as two are who only use a device of it and deal with it."""
    draw = np.random.default_rng(7)
    many = 4000
    life = [(int(a), int(b), 1) for a, b in draw.integers(20, many, (12_000, 2)) if a != b]
    handed = [(0, one, 30) for one in range(1, 13) for _ in range(3)]
    at_home = [(13, 0, 1), (13, 0, 1), (14, 0, 1)]
    at_work = [(one, int(other), 1) for one in range(15) for other in draw.integers(20, many, 8)]
    devices = [(one, "device", "d") for one in (0, 1, 2, 3)]
    devices += [(one, "device", "home") for one in (0, 13, 14)]
    tiers = [1] * 13 + [4] * (many - 13)
    facts = facts_of(many, life + handed + at_home + at_work, devices, tiers=tiers)
    ground = ground_of(evidence_of(replace(facts, holdings=np.full(many, 100.0))))
    whole, home = places(range(13)), places([*range(13), 13, 14])
    assert without_households(ground, whole).tolist() == [0, *range(4, 13)]
    assert _alone(ground, whole, ground.verdict(whole), lambda _: True)[0].tolist() == [*range(13)]
    lent = places([0, *range(4, 15)])
    kept, _ = _alone(ground, lent, ground.verdict(lent), lambda _: True)
    assert kept.tolist() == [0, *range(4, 13)]
    assert without_households(ground, home).tolist() == [0, *range(4, 13)]


def test_of_the_evidence_what_a_team_brings_about_is_said_apart():
    """Who pays whom it brought in: all bits of referrals here."""
    team = [(0, one) for one in range(1, 8)]
    paid = [(a, b, 5) for a, b in team]
    draw = np.random.default_rng(5)
    life = [(int(a), int(b), 5) for a, b in draw.integers(0, 2000, (6000, 2)) if a != b]
    facts = replace(
        facts_of(2000, life + paid, tiers=[0] * 2000),
        referrals=lazy("referrals", ({"referrer": a, "referred": b} for a, b in team)),
    )
    verdict = ground_of(evidence_of(facts)).verdict(places(range(8)))
    assert verdict.evidence_bits["referral"] > 10
    assert verdict.usual_bits["referral"] == pytest.approx(verdict.evidence_bits["referral"])
    assert verdict.usual_bits["clique"] == 0


def belonging(evidence, chosen):
    """What members' uneven dealing inside saves to know, from the definition: each has a Gamma
    part in it of the shape that explains all best, at most 8 bits for one who deals little."""
    counts = ties_inside(evidence, chosen)
    (layer, e) = next(
        (layer, e) for (_, layer), e in zip(evidence.layers, counts, strict=True) if layer.contacts
    )
    chance = chance_inside(evidence, layer, chosen, chosen, {})
    if e <= chance:
        return 0.0
    mixed, tiers = mixing(evidence, chosen), evidence.facts.tiers
    ends = list(zip(layer.a.tolist(), layer.b.tolist(), strict=True))
    most = 0.0
    for shape in (0.5, 1.0, 2.0, 4.0):
        total = 0.0
        for one in chosen:
            count = sum(one in pair and set(pair) <= chosen for pair in ends)
            mean = (e / chance) * sum(
                layer.weights[one] * layer.weights[other] * mixed[tiers[one], tiers[other]]
                for other in chosen - {one}
            )
            mixture = lgamma(count + shape) - lgamma(shape) + shape * log(shape / (shape + mean))
            if count:
                mixture += count * log(mean / (shape + mean))
            plain = (count * log(mean) if count else 0.0) - mean
            bits = (mixture - plain) / log(2)
            total += min(bits, 8.0) if count < mean else bits
        most = max(most, total)
    return most


@examples(60)
@given(neighbourhoods(), sets)
def test_uneven_members_tell_of_the_extent_and_not_of_the_strength(evidence, chosen):
    found = ground_of(evidence).verdict(places(chosen))
    assert found.belonging_bits == pytest.approx(belonging(evidence, chosen), abs=1e-6)
    assert found.extent_bits == pytest.approx(
        found.strength_bits - found.used_up_bits + found.belonging_bits, abs=1e-6
    )


def team_with_collectors():
    """Two collectors whom each of twenty pays, who hardly deal with each other; all have a life
    outside. Among 400 accounts; of the evidence only contacts."""
    draw = np.random.default_rng(11)
    life = [(int(a), int(b), 5) for a, b in draw.integers(0, 400, (1600, 2)) if a != b]
    fed = [(one, hub, 50) for one in range(2, 22) for hub in (0, 1)]
    evidence = evidence_of(facts_of(400, life + fed, tiers=[0] * 400))
    only = [(family, layer) for family, layer in evidence.layers if layer.contacts]
    return replace(evidence, layers=only), set(range(22))


def test_uneven_members_are_counted_from_the_definition_and_nobody_deals_with_itself():
    evidence, team = team_with_collectors()
    found = ground_of(evidence).verdict(places(team))
    assert found.belonging_bits > 1
    assert found.belonging_bits == pytest.approx(belonging(evidence, team), abs=1e-6)


def gained(evidence, team, one):
    """What one account adds to a set by its contacts, from the definition: each with a member
    says what the set's ties do and how active that member is otherwise, each that it might have
    had and has not says the contrary, and its own part is of the Gamma distribution; less what
    it costs to name it."""
    layer = evidence.layers[0][1]
    ends = list(zip(layer.a.tolist(), layer.b.tolist(), strict=True))
    mixed, tiers = mixing(evidence, team), evidence.facts.tiers
    ground = ground_of(evidence)
    inside = count_inside(
        places(team), ground._ties, ground._kinds, ground._accounts, _mixing(evidence)
    )
    shape, ratio = inside.uneven.shape, inside.ties[0] / inside.expected[0]
    assert shape < inf

    def tied(u, v):
        return (u, v) in ends or (v, u) in ends

    def chance(u, v):
        return layer.weights[u] * layer.weights[v] * mixed[tiers[u], tiers[v]]

    def activity(u, without=None):
        count = sum(tied(u, v) for v in team - {u, without})
        return (count + shape) / (ratio * sum(chance(u, v) for v in team - {u}) + shape)

    others = team - {one}
    bits = -log2((evidence.accounts - len(team) + 1) / len(team))
    bits += sum(log2(ratio * activity(v, one)) for v in others if tied(one, v))
    mean = ratio * sum(chance(one, v) * activity(v) for v in others)
    bits -= (mean - sum(chance(one, v) for v in others)) / log(2)
    count = sum(tied(one, v) for v in others)
    own = lgamma(count + shape) - lgamma(shape) + shape * log(shape / (shape + mean))
    own = (own - count * log(shape + mean) + mean) / log(2)
    return bits + (min(own, 8.0) if count < mean else own)


def test_what_an_account_adds_depends_on_whom_of_the_set_it_deals_with():
    evidence, team = team_with_collectors()
    ground = ground_of(evidence)
    candidates, gains, _ = ground.gains(places(team))
    near = dict(zip(candidates.tolist(), gains.tolist(), strict=True))
    for one in [0, 2, 9, *sorted(set(near) - team)[:5]]:
        assert near[one] == pytest.approx(gained(evidence, team, one), abs=1e-6)


def test_gains_do_not_depend_on_the_order_of_layers():
    """A team that two collectors hold together, that shares a device as well."""
    draw = np.random.default_rng(11)
    life = [(int(a), int(b), 5) for a, b in draw.integers(0, 400, (1600, 2)) if a != b]
    fed = [(one, hub, 50) for one in range(2, 22) for hub in (0, 1)]
    shops = [(hub, f"device{hub}") for hub in (0, 1)] + [(one, "device0") for one in range(2, 12)]
    seen = [(account, "device", value) for account, value in shops]
    evidence = evidence_of(facts_of(400, life + fed, seen, tiers=[0] * 400))
    team = places(range(22))
    orders = (evidence.layers, evidence.layers[::-1])
    (some, gains, other), (_, same, otherwise) = (
        ground_of(replace(evidence, layers=list(order))).gains(team) for order in orders
    )
    assert len(some) > 22
    assert gains == pytest.approx(same, abs=1e-9)
    assert other == pytest.approx(otherwise, abs=1e-9)


def busy_circle(draw, circle, many):
    """Deals of some accounts among each other, five each, and as many with others."""
    circle = np.array(circle)
    inside = [(int(a), int(b), 50) for a in circle for b in draw.choice(circle, 5) if a != b]
    life = [(int(a), int(b), 50) for a in circle for b in draw.integers(100, many, 5)]
    return inside + life


def test_the_friends_of_one_member_do_not_tie_themselves_to_its_group():
    """Six friends of one member deal with each other and with it. Beside that member nothing
    ties them to its group; a star keeps the hub that holds it."""
    draw = np.random.default_rng(11)
    many = 4000
    group, friends, fed = list(range(20)), list(range(20, 26)), list(range(26, 36))
    deals = busy_circle(draw, group, many)
    deals += [(a, b, 20) for a, b in combinations([0, *friends], 2)]
    deals += [(one, 1, 20) for one in fed]
    deals += [(a, b, 10) for a, b in draw.integers(100, many, (9000, 2)).tolist() if a != b]
    ground = ground_of(evidence_of(facts_of(many, deals, tiers=[3] * 500 + [4] * (many - 500))))
    rest = places(range(2, 20))
    with_friend, star = places([0, *friends]), places([1, *fed])
    for part in (with_friend, star):
        assert ground.bits_between(part, rest) > 8
    assert _beside_hinge(ground, with_friend, rest) == pytest.approx(0, abs=1e-6)
    assert _beside_hinge(ground, star, rest) == ground.bits_between(star, rest)


def test_a_group_is_completed_at_the_least_loss_for_what_is_held():
    """One account that holds what is missing, rather than three that hold a third of it each."""
    deals = [(a, b, 100) for a, b in combinations(range(9), 2)] * 6
    deals += [(one, 9 + place % 4, 100) for one in (7, 8) for place in range(4)]
    draw = np.random.default_rng(3)
    deals += [(a, b, 10) for a, b in draw.integers(13, 4000, (9000, 2)).tolist() if a != b]
    held = np.full(4000, 0.001)
    held[:9], held[9:13] = 10.0, [3.0, 1.0, 1.0, 1.0]
    facts = replace(facts_of(4000, deals, tiers=[4] * 4000), holdings=held)
    ground = ground_of(evidence_of(facts))
    full = refine(ground, places(range(9)), lambda some: held[some].sum() >= 93)
    assert full is not None
    assert full[0].tolist() == list(range(10))


def test_in_a_team_that_is_a_group_who_was_brought_in_belongs_to_it():
    """Two of a team deal with none of it. A team alone is none the stronger for its tree."""
    draw = np.random.default_rng(8)
    many, team = 4000, 20
    deals = busy_circle(draw, range(team - 2), many)
    deals += [(one, int(other), 50) for one in (18, 19) for other in draw.integers(100, many, 2)]
    deals += [(a, b, 10) for a, b in draw.integers(100, many, (9000, 2)).tolist() if a != b]
    tree = [(draw.integers(0, one), one) for one in range(1, team)]
    tree += [(int(a), int(b)) for a, b in enumerate(draw.permutation(np.arange(100, 2000)), 2000)]
    tiers = [2] * 150 + [4] * (many - 150)
    facts = facts_of(many, deals, tiers=tiers)
    rows = [{"referrer": int(a), "referred": int(b)} for a, b in tree]
    with_tree = ground_of(evidence_of(replace(facts, referrals=lazy("referrals", rows))))
    found = refine(with_tree, places(range(team)), lambda _: True)
    assert found is not None
    assert found[0].tolist() == list(range(team))
    without = refine(ground_of(evidence_of(facts)), places(range(team)), lambda _: True)
    assert without is not None
    assert without[0].tolist() == list(range(team - 2))
    assert with_tree.verdict(places(range(team))).evidence_bits["referral"] < 5


@pytest.mark.parametrize("passes_on", [True, False])
def test_two_cells_below_the_line_are_one_where_a_courier_passes_on_for_both(passes_on):
    """Two circles of 20. The courier (40) takes 30 amounts from one to the other, a day later; a
    friend of both deals with them as often."""
    draw = np.random.default_rng(2)
    deals = busy_circle(draw, range(20), 4000) + busy_circle(draw, range(20, 40), 4000)
    deals += [(a, b, 1) for a, b in draw.integers(100, 4000, (9000, 2)).tolist() if a != b]
    dated = [(a, b, int(draw.integers(1, 10_000)), int(draw.integers(90))) for a, b, _ in deals]
    ends = zip(draw.integers(0, 5, 30).tolist(), draw.integers(20, 25, 30).tolist(), strict=True)
    for trip, (giver, taker) in enumerate(ends):
        amounts = draw.integers(100, 10_000, 2).tolist()
        dated += [(giver, 40, amounts[0], 2 * trip)]
        dated += [(40, taker, amounts[0 if passes_on else 1], 2 * trip + 1)]
    tiers = np.array([3] * 500 + [4] * 3500, np.int32)
    ground = ground_of(evidence_of(replace(dated_facts(4000, dated), tiers=tiers)))
    cells = [(cell, ground.verdict(cell)) for cell in map(places, (range(20), range(20, 40)))]
    found = list(compounds(ground, cells, lambda some: len(some) >= 30))
    assert [one.places.tolist() for one in found] == ([list(range(41))] if passes_on else [])
    for one in found:
        assert one.bits > sum(verdict.extent_bits for _, verdict in cells)
    assert not list(compounds(ground, cells, lambda some: len(some) >= 50))


@pytest.mark.parametrize("tied", [3, 4, 5, 6, 8])
def test_ties_that_must_hold_most_of_a_set_say_nothing_of_one_that_they_do_not(tied):
    """A circle of nine; `tied` pairs in a row of it, and one with an outsider, have something in
    common that a few of all have."""
    deals = [(a, b, 100) for a, b in combinations(range(9), 2)] * 3
    draw = np.random.default_rng(7)
    deals += [(a, b, 10) for a, b in draw.integers(9, 300, (600, 2)).tolist() if a != b]
    seen = [(one, "device", f"d{pair}") for pair in range(tied) for one in (pair, pair + 1)]
    seen += [(0, "device", "out"), (50, "device", "out")]
    plain = evidence_of(facts_of(300, deals, seen, tiers=[4] * 300))
    layers = [
        (family, replace(layer, most=True) if family.name == "identifier" else layer)
        for family, layer in plain.layers
    ]
    usual, strict = ground_of(plain), ground_of(replace(plain, layers=layers))
    circle, outsider = places(range(9)), 50
    said = strict.verdict(circle).evidence_bits["identifier"]
    candidates, gained, _ = strict.gains(circle)
    _, gained_usually, _ = usual.gains(circle)
    place = candidates.tolist().index(outsider)
    assert usual.verdict(circle).evidence_bits["identifier"] > 0
    if 2 * tied >= 9 - 1:
        assert said == usual.verdict(circle).evidence_bits["identifier"]
        assert gained[place] == gained_usually[place]
    else:
        assert said == 0
        assert gained[place] < gained_usually[place]


def test_two_groups_that_hold_enough_by_themselves_are_two_however_cheap_they_are_together():
    """Nothing ties them, but both are of the few who are rich, so that naming them together costs
    less; and one of them is most of both."""
    deals = []
    for circle in (range(9), range(9, 14)):
        deals += [(a, b, 100) for a, b in combinations(circle, 2)] * 2
    deals += [(8, 9, 100)]
    draw = np.random.default_rng(5)
    deals += [(a, b, 10) for a, b in draw.integers(16, 600, (1500, 2)).tolist() if a != b]
    ground = ground_of(evidence_of(facts_of(600, deals, tiers=[0] * 16 + [4] * 584)))
    both, one, other = places(range(14)), places(range(9)), places(range(9, 14))
    whole = ground.verdict(both)
    assert whole.extent_bits > ground.verdict(one).extent_bits + ground.verdict(other).extent_bits
    parts = split(ground, both, whole, lambda some: len(some) >= 5)
    assert sorted(map(len, parts or [])) == [5, 9]
    assert split(ground, both, whole, lambda some: len(some) >= 6) is None
    assert split(ground, one, ground.verdict(one), lambda some: len(some) >= 5) is None


def test_what_parts_that_hold_too_little_are_together_is_judged_beside_one_that_holds_enough():
    """Four circles in a ring, none of which holds enough, and one apart that does."""
    deals = []
    for begin in range(0, 24, 6):
        deals += [(a, b, 100) for a, b in combinations(range(begin, begin + 6), 2)] * 4
        deals += [(begin, (begin + 6) % 24, 3)]
    deals += [(a, b, 100) for a, b in combinations(range(24, 32), 2)] * 4 + [(0, 24, 1)]
    draw = np.random.default_rng(9)
    deals += [(a, b, 10) for a, b in draw.integers(32, 600, (1500, 2)).tolist() if a != b]
    ground = ground_of(evidence_of(facts_of(600, deals, tiers=[4] * 600)))
    every = places(range(32))
    parts = split(ground, every, ground.verdict(every), lambda some: len(some) >= 8)
    found = {frozenset(part.tolist()) for part in parts or []}
    assert frozenset(range(24, 32)) in found
    assert frozenset(range(24)) in found
