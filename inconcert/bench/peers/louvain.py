"""Louvain communities (Blondel and others 2008) that hold the line together."""

from __future__ import annotations

from inconcert.bench.peers.graphs import Modularity

PEER = Modularity("Louvain")
