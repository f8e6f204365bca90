"""One file a kind of fact: `loaders/kinds/NAME.py` defines `SOURCE`; nothing else to edit.

Copy `transfers.py` to begin a new one.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from loaders.fields import Source


@functools.cache
def sources() -> dict[str, Source]:
    """Every kind that can be loaded, by name: what the files of this package declare."""
    found = (
        importlib.import_module(f"{__name__}.{module.name}").SOURCE
        for module in pkgutil.iter_modules(__path__)
    )
    return {source.kind: source for source in found}
