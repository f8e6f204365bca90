"""Accounts as people name them, and as a store keeps them."""

from __future__ import annotations

import unicodedata

from graph.store import Store

MASK_PREFIX = "m_"
"""Before the digest of a masked account, as `graph.digest.mask` writes it."""


def as_kept(store: Store, account: str) -> str:
    """An account that a user names, as the store keeps it: masked where it masks, unless it is
    given as a masked id already."""
    text = unicodedata.normalize("NFC", account.strip())
    if not store.properties.masked or text.startswith(MASK_PREFIX):
        return text
    from graph.digest import mask

    return mask(text, store.key)
