"""What several peers need of a graph: components, and igraph where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import random
from typing import Any

import numpy as np

from detectors.engine.forest import component_labels
from inconcert.bench.peers import Ints, Links, Material


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
