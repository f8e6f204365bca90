"""Which worlds are made, what is asked of each, and the whole answer."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from inconcert.bench.accuracy.changes import CHANGES, near_the_line
from inconcert.bench.accuracy.ledger import Ledger
from inconcert.bench.accuracy.product import judged
from inconcert.bench.accuracy.scoring import score_findings, score_groups
from inconcert.bench.accuracy.tally import (
    tally_empty,
    tally_findings,
    tally_groups,
    tally_near,
    targets,
)
from inconcert.bench.accuracy.town import GENERATORS, Town, kinds_in_turn, make_town
from inconcert.bench.figures import machine
from inconcert.bench.peers import Material, Peer, Setting, peers

TUNING_SEED = 4000
"""Peers are tuned on worlds from here on, as the product was."""

FIRST_REPORTING_SEED = 7000
EMPTY, NEAR, INSIDE = 10_000, 20_000, 30_000
"""Added to the seed for worlds without groups, near the line, and of the curve."""

INSIDE_PARTS = (0.8, 0.65, 0.5, 0.35, 0.2)

Note = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured; the numbers of worlds are for each generator."""

    accounts: int = 20_000
    transfers: int = 250_000
    seed: int = FIRST_REPORTING_SEED
    worlds: int = 4
    empty: int = 4
    near: int = 0
    robustness: int = 0
    """Worlds for each change, the first ones of `worlds`, and for each part inside."""
    peers: bool = False
    tuning: int = 2
    generators: Sequence[str] = field(default=GENERATORS)


def bench_accuracy(plan: Plan, note: Note, keep: Path | None = None) -> dict[str, Any]:
    """Everything that the plan asks for. `keep`: a file for what is measured, world by world:
    what it holds of a world of the same size and seed, by the same code, is not measured again."""
    run = _Run(plan, note, Ledger(keep))
    answer: dict[str, Any] = {
        "plan": {**asdict(plan), "generators": list(plan.generators)},
        "settings_sha256": _settings(),
        "machine": machine(),
        "generators": {name: run.generator(name) for name in plan.generators},
        "peers": [run.peer(peer) for peer in peers() if plan.peers],
        "robustness": run.robustness() if plan.robustness else [],
        "inside": run.inside() if plan.robustness and "adversary" in plan.generators else [],
    }
    answer["targets"] = targets(answer)
    return answer


def _settings() -> str:
    """A name for the settings of the detection and its families."""
    from inconcert.asking import make_request

    request = make_request((), ())
    said = [request.settings.model_dump(), sorted(request.detectors)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@functools.cache
def _digest(*packages: str) -> str:
    """A name for the code of some packages: an answer by other code is another answer."""
    digest = hashlib.sha256()
    for package in packages:
        folder = Path(str(importlib.import_module(package).__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Place:
    """One world: what names it, and how to make it."""

    key: dict[str, Any]
    make: Callable[[], Town]


class _Run:
    """The worlds of a plan, each measured once."""

    def __init__(self, plan: Plan, note: Note, ledger: Ledger) -> None:
        self.plan, self.note, self.ledger = plan, note, ledger

    def generator(self, name: str) -> dict[str, Any]:
        """What is found in the worlds of one generator: with groups, without, near the line."""
        worlds = [self._product(place) for place in self._with_groups(name)]
        empty = [self._product(place) for place in self._empty(name)]
        near = [self._product(place) for place in self._near(name)]
        rows = [row for world in worlds for row in world["groups"]]
        return {
            "worlds": len(worlds),
            "kinds": {
                kind: tally_groups([row for row in rows if row["kind"] == kind])
                for kind in sorted({row["kind"] for row in rows})
            },
            "all": tally_groups(rows),
            "findings": tally_findings(worlds),
            "empty": tally_empty(empty),
            "near": tally_near(near) if near else None,
            "seconds_a_world": _median([world["seconds"] for world in worlds + empty]),
        }

    def robustness(self) -> list[dict[str, Any]]:
        """For each change and generator what is found in the first worlds."""
        return [
            {
                "change": words,
                "generator": name,
                "groups": tally_groups([row for world in found for row in world["groups"]]),
                "findings": tally_findings(found),
                "first_right": sum(_first_is_right(world) for world in found),
            }
            for words in CHANGES
            for name in self.plan.generators
            if (found := [self._product(one) for one in self._changed(name, words)])
        ]

    def inside(self) -> list[dict[str, Any]]:
        """The curve: what is found by the part of its members' transfers that a scheme takes."""
        rows = []
        for part in INSIDE_PARTS:
            found = [self._product(place) for place in self._at_inside(part)]
            groups = [row for world in found for row in world["groups"]]
            net = [(row["bits"] - row["cost"]) / row["members"] for row in groups]
            rows.append(
                {"inside": part, "groups": tally_groups(groups), "net_bits_a_member": _median(net)}
            )
        return rows

    def peer(self, peer: Peer) -> dict[str, Any]:
        """A peer: how it was tuned, and what it finds in the same worlds."""
        if reason := peer.missing():
            return {"name": peer.name, "help": peer.help, "missing": reason}
        setting, tried = self._tuned(peer)
        found = {}
        for name in self.plan.generators:
            worlds = [self._by_peer(peer, setting, one) for one in self._with_groups(name)]
            empty = [
                self._by_peer(peer, setting, one)
                for one in self._empty(name)[: max(self.plan.worlds, 1)]
            ]
            found[name] = {
                "all": tally_groups([row for world in worlds for row in world["groups"]]),
                "findings": tally_findings(worlds),
                "empty": tally_empty(empty),
            }
        return {
            "name": peer.name,
            "help": peer.help,
            "setting": dict(setting),
            "tried": tried,
            "generators": found,
        }

    def _tuned(self, peer: Peer) -> tuple[Setting, list[dict[str, Any]]]:
        """The setting with the best mean of precision and recall at 0.5 (F1) on tuning worlds;
        of equal ones the one that says least, then the first."""
        tried = []
        for setting in peer.settings():
            worlds = [self._by_peer(peer, setting, one) for one in self._for_tuning]
            groups = [row for world in worlds for row in world["groups"]]
            findings = [one for world in worlds for one in world["findings"]]
            right = sum(one["what"] == "right" for one in findings)
            found = sum(row["jaccard"] >= 0.5 for row in groups)
            score = (right + found) / max(len(findings) + len(groups), 1)
            tried.append(
                {"setting": dict(setting), "score": round(score, 4), "findings": len(findings)}
            )
        return max(tried, key=lambda one: (one["score"], -one["findings"]))["setting"], tried

    def _product(self, place: _Place) -> dict[str, Any]:
        key = {**place.key, "by": "product", "code": _digest("detectors", "inconcert.simulate")}

        def measure() -> dict[str, Any]:
            self.note(_words(place.key))
            return judged(place.make(), ceiling=place.key["part"] != "empty")

        answer: dict[str, Any] = self.ledger.get(key, measure)
        return answer

    def _by_peer(self, peer: Peer, setting: Setting, place: _Place) -> dict[str, Any]:
        code = _digest("inconcert.bench.peers", "inconcert.simulate")
        key = {**place.key, "by": peer.name, "setting": dict(setting), "code": code}

        def measure() -> dict[str, Any]:
            self.note(f"{peer.name}: {_words(place.key)}")
            material = self._material(place)
            found = peer.find(material, setting)
            return {
                "groups": score_groups(material.town, found),
                "findings": score_findings(material.town, found),
            }

        answer: dict[str, Any] = self.ledger.get(key, measure)
        return answer

    def _material(self, place: _Place) -> Material:
        """Those of tuning worlds stay: each is asked for with every setting."""
        name = json.dumps(place.key, sort_keys=True)
        if name not in self._materials:
            if place.key["part"] != "tuning":
                self._materials = {
                    known: one for known, one in self._materials.items() if "tuning" in known
                }
            self._materials[name] = Material(place.make())
        return self._materials[name]

    @cached_property
    def _for_tuning(self) -> list[_Place]:
        return [
            self._place("tuning", name, TUNING_SEED + one, kinds_in_turn(name, one, self._size))
            for name in self.plan.generators
            for one in range(self.plan.tuning)
        ]

    @cached_property
    def _materials(self) -> dict[str, Material]:
        return {}

    @property
    def _size(self) -> int:
        return self.plan.accounts

    def _with_groups(self, name: str) -> list[_Place]:
        return [
            self._place("groups", name, self.plan.seed + one, kinds_in_turn(name, one, self._size))
            for one in range(self.plan.worlds)
        ]

    def _empty(self, name: str) -> list[_Place]:
        first = self.plan.seed + EMPTY
        return [self._place("empty", name, first + one, []) for one in range(self.plan.empty)]

    def _near(self, name: str) -> list[_Place]:
        first = self.plan.seed + NEAR
        places = [
            self._place("near", name, first + one, kinds_in_turn(name, one, self._size))
            for one in range(self.plan.near)
        ]
        return [_changed_place(place, near_the_line) for place in places]

    def _changed(self, name: str, words: str) -> list[_Place]:
        places = self._with_groups(name)[: self.plan.robustness]
        if words == next(iter(CHANGES)):
            return places
        return [
            _changed_place(_Place({**place.key, "part": words}, place.make), CHANGES[words])
            for place in places
        ]

    def _at_inside(self, part: float) -> list[_Place]:
        first = self.plan.seed + INSIDE
        return [
            self._place(
                f"{part:.0%} inside",
                "adversary",
                first + one,
                kinds_in_turn("adversary", one, self._size),
                part,
            )
            for one in range(self.plan.robustness)
        ]

    def _place(
        self, part: str, name: str, seed: int, kinds: Sequence[str], inside: float | None = None
    ) -> _Place:
        accounts, transfers = self.plan.accounts, self.plan.transfers
        key = {
            "part": part,
            "generator": name,
            "seed": seed,
            "accounts": accounts,
            "transfers": transfers,
        }
        return _Place(key, lambda: make_town(name, accounts, transfers, seed, kinds, inside))


def _changed_place(place: _Place, change: Callable[[Town, np.random.Generator], Town]) -> _Place:
    seed = place.key["seed"]
    return _Place(place.key, lambda: change(place.make(), np.random.default_rng(seed)))


def _words(key: dict[str, Any]) -> str:
    return f"{key['generator']} world {key['seed']} ({key['part']})"


def _first_is_right(world: dict[str, Any]) -> bool:
    """Whether the strongest finding of a world is a group."""
    return bool(world["findings"]) and world["findings"][0]["what"] == "right"


def _median(numbers: Sequence[float]) -> float:
    return round(float(np.median(numbers)), 2) if numbers else 0.0
