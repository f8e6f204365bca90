"""What is asked of a detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from detectors.family import Family
from detectors.settings import DetectionSettings
from detectors.whale import Whale


@dataclass(frozen=True)
class Request:
    """What is asked of a detection."""

    families: Sequence[Family]
    whale: Whale | None
    lines: list[Fraction]
    as_of: datetime | None = None
    known_at: int | None = None
    seed: int = 0
    permutations: int = 99
    settings: DetectionSettings = field(default_factory=DetectionSettings)

    @property
    def detectors(self) -> list[str]:
        """Names of all detectors asked for."""
        return [family.name for family in self.families] + (["whale"] if self.whale else [])
