"""Simulated platforms with planted groups and innocent crowds, and the truth about them."""

from inconcert.simulate import adversary
from inconcert.simulate.planted import KINDS
from inconcert.simulate.world import World, check_directory, make_world, write_world

__all__ = ["KINDS", "World", "adversary", "check_directory", "make_world", "write_world"]
