"""Connected components of who deals with whom, as many platforms do it."""

from __future__ import annotations

from collections.abc import Sequence

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.peers import Material, Setting
from inconcert.bench.peers.graphs import components


class Components:
    """All accounts that are connected, where they hold the line."""

    name = "connected components"
    help = "Pairs with enough transfers between them; components over the line."

    def settings(self) -> Sequence[Setting]:
        """By the least transfers of a pair."""
        return [{"transfers": least} for least in (1, 2, 3, 5, 8, 12, 20, 30, 50)]

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Components over the line."""
        links = material.links
        often = links.only(links.count >= setting["transfers"])
        return material.over_the_line(components(material, often.a, often.b))

    def missing(self) -> str | None:
        """Nothing."""
        return None


PEER = Components()
