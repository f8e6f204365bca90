"""What several peers need of a graph: components, and igraph where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.engine.forest import component_labels
from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.peers import Ints, Links, Material, Setting


def components(material: Material, a: Ints, b: Ints) -> list[Ints]:
    """The sets that some pairs hold together, without accounts that are alone."""
    labels = component_labels(material.accounts, a.astype(np.int32), b.astype(np.int32))
    sizes = np.bincount(labels, minlength=material.accounts)
    return material.parts(np.where(sizes[labels] > 1, labels, -1).astype(np.int64))


def without_hubs(material: Material, links: Links, most: int) -> Links:
    """Pairs of which neither end deals with more than `most` others."""
    small = material.degree <= most
    return links.only(small[links.a] & small[links.b])


def igraph_missing() -> str | None:
    """Why the peers that need igraph are left out, if they are."""
    return None if importlib.util.find_spec("igraph") else "igraph (GPL) is not installed"


@dataclass(frozen=True)
class Modularity:
    """A peer: communities by modularity over the line, at the best of several resolutions."""

    name: str
    """Leiden or Louvain."""

    @property
    def help(self) -> str:
        """What it does, in one sentence."""
        return (
            f"{self.name} by modularity, pairs weighed by their transfers; communities over the "
            "line."
        )

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
        parts = communities(material, often, self.name.lower(), setting["resolution"])
        return material.over_the_line(parts)

    def missing(self) -> str | None:
        """igraph, a development extra."""
        return igraph_missing()


def communities(material: Material, links: Links, method: str, resolution: float) -> list[Ints]:
    """Leiden or Louvain communities by modularity, pairs weighed by how often they deal."""
    igraph = importlib.import_module("igraph")
    igraph.set_random_number_generator(random.Random(0))  # the same answer every time
    here, ends = np.unique(np.concatenate([links.a, links.b]), return_inverse=True)
    pairs = ends.reshape(2, -1).T.tolist()
    graph: Any = igraph.Graph(len(here), pairs)
    often = links.count.astype(float).tolist()
    if method == "leiden":
        found = graph.community_leiden(
            "modularity", weights=often, resolution=resolution, n_iterations=4
        )
    else:
        found = graph.community_multilevel(weights=often, resolution=resolution)
    labels = np.full(material.accounts, -1, np.int64)
    labels[here] = found.membership
    return material.parts(labels)
