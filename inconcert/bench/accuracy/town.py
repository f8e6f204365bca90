"""A world as the benchmark sees it: frames to load, who hides in it, who only looks guilty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from inconcert.demo import KINDS as FILES
from inconcert.simulate import KINDS as PLAIN_KINDS
from inconcert.simulate import World
from inconcert.simulate import make_world as plain_world
from inconcert.simulate.adversary import KINDS as ADVERSARY_KINDS
from inconcert.simulate.adversary import make_world as adversary_world

LINE = 0.05
DAYS = {"plain": 60, "adversary": 180}
KINDS: dict[str, tuple[str, ...]] = {
    "plain": tuple(PLAIN_KINDS),
    "adversary": tuple(ADVERSARY_KINDS),
}
GENERATORS = tuple(KINDS)
MANY_ACCOUNTS = 20_000
MANY, FEW = 6, 3
"""Groups in a world of MANY_ACCOUNTS and more, and in a smaller one."""

Members = frozenset[int]
"""Accounts by their place among all ids in ascending order."""


@dataclass(frozen=True)
class Hidden:
    """A true group: its kind, its members, and the share that they hold together."""

    kind: str
    members: Members
    share: float

    @property
    def below(self) -> bool:
        """Whether it stays below the line: then it is not to be found."""
        return self.share < LINE


@dataclass(frozen=True)
class Crowd:
    """Innocents who look alike: members and institutions."""

    kind: str
    members: Members


@dataclass(frozen=True)
class Town:
    """`frames`: one a kind of fact, columns as in its file; ids are text."""

    frames: dict[str, pl.DataFrame]
    groups: list[Hidden]
    crowds: list[Crowd]

    @cached_property
    def names(self) -> pl.Series:
        """Every account that holds something or nothing, ascending."""
        return self.frames["holdings"]["account"].unique().sort()

    def places(self, accounts: Iterable[str]) -> Members:
        """Accounts by their place in `names`."""
        found = self.names.search_sorted(pl.Series(list(accounts), dtype=pl.String))
        return frozenset(found.to_list())

    def ids(self, members: Members) -> pl.Series:
        """The ids of some accounts, ascending."""
        return self.names.gather(sorted(members))


def make_town(
    generator: str,
    accounts: int,
    transfers: int,
    seed: int,
    kinds: Sequence[str],
    inside: float | None = None,
) -> Town:
    """A world with a group of each of some kinds (none: no group), all innocents in it.

    `inside`: of an adversary's world, the part of a member's transfers that its scheme takes.
    """
    make: Callable[..., World] = plain_world if generator == "plain" else adversary_world
    knob = {} if inside is None else {"inside": inside}
    world = make(accounts, transfers, seed, DAYS[generator], len(kinds), kinds, **knob)
    return _town(world)


def _town(world: World) -> Town:
    frames = {kind: getattr(world, kind) for kind in FILES}
    bare = Town(frames, [], [])
    return Town(frames, [_hidden(bare, one) for one in world.truth], _crowds(bare, world))


def _hidden(town: Town, entry: dict[str, Any]) -> Hidden:
    return Hidden(entry["kind"], town.places(entry["members"]), entry["share"])


def _crowds(town: Town, world: World) -> list[Crowd]:
    return [
        Crowd(one["kind"], town.places([*one["members"], *one["heads"]])) for one in world.innocents
    ]


def kinds_in_turn(generator: str, place: int, accounts: int) -> list[str]:
    """The kinds of the groups of the world at a place in a series: each as often as others."""
    kinds = KINDS[generator]
    count = MANY if accounts >= MANY_ACCOUNTS else FEW
    return [kinds[(place * count + step) % len(kinds)] for step in range(count)]
