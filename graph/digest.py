"""Keyed digests (HMAC-SHA256): uids without an id, identifiers, masked account ids.

A plain hash of a phone number can be guessed by trying all numbers; with the store's key
it cannot. The key is 64 hexadecimal characters, used as they stand (ASCII) as HMAC key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from graph.errors import UserError

if TYPE_CHECKING:
    import polars as pl

DIGEST_CHARACTERS = 32
"""Characters kept of a digest: 128 bits."""

MASK_PREFIX = "m_"


def new_key() -> str:
    """A new random key: 256 bits as hex text."""
    return secrets.token_hex(32)


def read_key(path: Path) -> str:
    """The key in a file. UserError when the file is missing or holds no key."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise UserError(
            f"The key file {path} is missing.",
            "Set INCONCERT_KEY_FILE to the store's key, or restore it from its back-up.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The key file {path} cannot be read: {error}.") from None
    if len(key) != 64 or any(c not in "0123456789abcdef" for c in key):
        raise UserError(f"The file {path} holds no key (64 hexadecimal characters).")
    return key


def fingerprint(key: str) -> str:
    """A name for the key that does not reveal it: what the store keeps to know its key."""
    return hashlib.sha256(b"inconcert key " + key.encode("ascii")).hexdigest()[:16]


def digests(texts: pl.Series, key: str, purpose: str) -> pl.Series:
    """HMAC-SHA256 of each text under the key, cut to 128 bits, as hex text.

    `purpose` ("uid", "identifier", "account") keeps digests of equal texts for different
    uses apart. Nulls stay null. Same values as `digest`.
    """
    import polars as pl  # costs start-up time, needed only where rows are read
    import polars_hash as plh

    message = pl.concat_str([pl.lit(purpose + "\x1f"), pl.col("text")]).alias("message")
    hashed = plh.col("message").chash.hmac_sha256(key=key)
    return (
        texts.rename("text")
        .to_frame()
        .select(message)
        .select(hashed.str.slice(0, DIGEST_CHARACTERS))
        .to_series()
        .rename(texts.name)
    )


def digest(text: str, key: str, purpose: str) -> str:
    """`digests` for one text."""
    message = f"{purpose}\x1f{text}".encode()
    return hmac.digest(key.encode("ascii"), message, "sha256").hex()[:DIGEST_CHARACTERS]


def mask(account: str, key: str) -> str:
    """The masked form of an account id: `m_` and its digest."""
    return MASK_PREFIX + digest(account, key, "account")
