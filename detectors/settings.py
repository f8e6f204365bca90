"""Settings of detection: they decide who is flagged as much as the lines do.

Versioned and hashed into every run (`settings_sha256`), so a run says by what it judged.
"""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class DetectionSettings(BaseModel):
    """`[detection]` in `inconcert.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = 1
    margin_bits: Annotated[float, Field(ge=0)] = 30.0
    """A set is reported when one will explains it this much better than strangers, …"""
    margin_bits_a_member: Annotated[float, Field(ge=0)] = 4.0
    """… and at least this much for each member."""
    corroborating_bits: Annotated[float, Field(ge=0)] = 20.0
    """A source of fact corroborates when it brings this many bits …"""
    corroborating_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """… and ties accounts with this share of the group's holdings together by itself."""
    others_bring: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Beside its largest member a group must hold this part of the line, else one large
    account and its household would be called a group."""
    overlap: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Of two sets that share more than this part of the smaller one, the stronger is kept."""


def settings_sha256(
    settings: DetectionSettings, detectors: list[str], lines: list[Fraction], permutations: int
) -> str:
    """A name for all that decided a run beside the facts."""
    text = json.dumps(
        {
            "settings": settings.model_dump(),
            "detectors": sorted(detectors),
            "lines": [str(line) for line in lines],
            "permutations": permutations,
        },
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()
