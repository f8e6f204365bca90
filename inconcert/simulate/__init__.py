"""Simulated platforms with planted groups and innocent crowds, and the truth about them."""

from inconcert.simulate import adversary
from inconcert.simulate.nightly import check_week_directory, write_week
from inconcert.simulate.planted import KINDS
from inconcert.simulate.week import Week, make_week
from inconcert.simulate.world import World, check_directory, make_world, write_world

__all__ = [
    "KINDS",
    "Week",
    "World",
    "adversary",
    "check_directory",
    "check_week_directory",
    "make_week",
    "make_world",
    "write_week",
    "write_world",
]
