"""Leiden communities (Traag, Waltman and van Eck 2019) that hold the line together."""

from __future__ import annotations

from inconcert.bench.peers.graphs import Modularity

PEER = Modularity("Leiden")
