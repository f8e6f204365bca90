"""Settings of detection: they decide who is flagged as much as the lines do.

Versioned, effective-dated, and hashed into every run (`settings_sha256`), so a run says by
what it judged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

LEAST_WEIGHT, MOST_WEIGHT = 0.5, 1.5
"""A family's bits never count less or more than this: above nothing, so that more evidence
never speaks against a finding; within a half, so that no weight can replace calibration."""

DOCUMENTS = "links"
"""The family of declared links: documents count what they count, whatever was decided."""


class DetectionSettings(BaseModel):
    """`[detection]` in `inconcert.toml`, or one of its `[[detection]]` tables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = 1
    effective_from: datetime | None = None
    """In force for facts as of then and later; None: from the beginning. Naive means UTC."""
    margin_bits: Annotated[float, Field(ge=0)] = 30.0
    """A set is reported when one will explains it this much better than strangers, …"""
    margin_bits_a_member: Annotated[float, Field(ge=0)] = 1.0
    """… and at least this much for each member."""
    corroborating_bits: Annotated[float, Field(ge=0)] = 20.0
    """A source of fact corroborates when it brings this many bits …"""
    corroborating_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """… and ties accounts with this share of the group's holdings together by itself."""
    named_bits: Annotated[float, Field(ge=0)] = 4.0
    """An order names a member whose ties say this much more than naming it costs. The finding
    is an indication where those who may be named hold less than the line."""
    others_bring: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Beside its largest member a group must hold this part of the line, else one large
    account and its household would be called a group."""
    overlap: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Of two sets that share more than this part of the smaller one, the stronger is kept."""
    weights: dict[str, Annotated[float, Field(ge=LEAST_WEIGHT, le=MOST_WEIGHT)]] = {}
    """What a bit of a family is worth to the judge; 1 where none is named. See `tune`."""

    def needed_bits(self, members: int) -> float:
        """The bits that a set of so many must save to be reported."""
        return max(self.margin_bits, self.margin_bits_a_member * members)

    @field_validator("effective_from")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        if moment is None:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    @field_validator("weights")
    @classmethod
    def _documents_stand(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights.get(DOCUMENTS, 1.0) != 1.0:
            raise ValueError(f"{DOCUMENTS} are documents, whose bits have no weight")
        return weights


def in_force(history: Sequence[DetectionSettings], moment: datetime) -> DetectionSettings:
    """The settings for facts as of a time: the last of those that had taken effect; before
    the first one, the program's own. `history`: as `check_history` wants it."""
    begun = [
        settings
        for settings in history
        if settings.effective_from is None or settings.effective_from <= moment
    ]
    return begun[-1] if begun else DetectionSettings()


def check_history(history: Sequence[DetectionSettings]) -> None:
    """ValueError unless each takes effect after the one before it, with a higher version."""
    for place, (before, after) in enumerate(pairwise(history), start=2):
        if after.effective_from is None:
            raise ValueError(f"table {place} needs an effective_from, as it follows another")
        if before.effective_from is not None and after.effective_from <= before.effective_from:
            raise ValueError(f"table {place} takes effect no later than the one before it")
        if after.version <= before.version:
            raise ValueError(f"table {place} needs a higher version than the one before it")


def settings_sha256(
    settings: DetectionSettings, detectors: list[str], lines: list[Fraction], permutations: int
) -> str:
    """A name for all that decided a run beside the facts."""
    text = json.dumps(
        {
            "settings": settings.model_dump(mode="json"),
            "detectors": sorted(detectors),
            "lines": [str(line) for line in lines],
            "permutations": permutations,
        },
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()
