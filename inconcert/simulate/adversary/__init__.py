"""Worlds by an adversary: operators who know that they are watched, innocents who look guilty."""

from inconcert.simulate.adversary.innocents import CROWDS
from inconcert.simulate.adversary.operators import KINDS
from inconcert.simulate.adversary.world import make_world

__all__ = ["CROWDS", "KINDS", "make_world"]
