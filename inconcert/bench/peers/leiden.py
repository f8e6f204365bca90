"""Leiden communities (Traag, Waltman and van Eck 2019) that hold the line together."""

from __future__ import annotations

from collections.abc import Sequence

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.peers import Material, Setting
from inconcert.bench.peers.graphs import communities, igraph_missing, without_hubs


class Leiden:
    """Communities by modularity, at the best of several resolutions."""

    name = "Leiden"
    help = "Leiden by modularity, pairs weighed by their transfers; communities over the line."

    def settings(self) -> Sequence[Setting]:
        """By resolution, the least transfers of a pair and the most others of an account."""
        return [
            {"resolution": resolution, "transfers": least, "others": most}
            for most in (50, 1_000_000)
            for least in (1, 3)
            for resolution in (1.0, 4.0, 16.0, 64.0, 256.0)
        ]

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Communities over the line."""
        links = without_hubs(material, material.links, setting["others"])
        often = links.only(links.count >= setting["transfers"])
        if not len(often.a):
            return []
        parts = communities(material, often, "leiden", setting["resolution"])
        return material.over_the_line(parts)

    def missing(self) -> str | None:
        """igraph, a development extra."""
        return igraph_missing()


PEER = Leiden()
