"""Connected components after accounts that deal with many are taken out."""

from __future__ import annotations

from collections.abc import Sequence

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.peers import Material, Setting
from inconcert.bench.peers.graphs import components, without_hubs


class ComponentsWithoutHubs:
    """The same without hubs."""

    name = "components without hubs"
    help = "The same, after accounts that deal with many others are left out."

    def settings(self) -> Sequence[Setting]:
        """By the least transfers of a pair and the most others of an account."""
        return [
            {"transfers": least, "others": most}
            for most in (10, 20, 50, 100)
            for least in (1, 2, 3, 5, 8, 12)
        ]

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Components over the line."""
        links = without_hubs(material, material.links, setting["others"])
        often = links.only(links.count >= setting["transfers"])
        return material.over_the_line(components(material, often.a, often.b))

    def missing(self) -> str | None:
        """Nothing."""
        return None


PEER = ComponentsWithoutHubs()
