"""Where detections keep what pays for the next one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detectors.engine.request import Request
    from detectors.kept import Kept
    from graph.store import Store


def kept_in(folder: Path, store: Store, request: Request) -> Kept:
    """What is kept in a folder of the facts of this store. A detection of the past takes over
    what still holds, but does not put the past in the place of what is kept."""
    from detectors.kept import Kept

    present = request.as_of is None and request.known_at is None
    return Kept(folder, store.properties.key_fingerprint, writes=present)
