"""Who acts."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """Who acts: INCONCERT_USER, else the operating system's user."""
    try:
        return os.environ.get("INCONCERT_USER") or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"uid {os.getuid()}"
