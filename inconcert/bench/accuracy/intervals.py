"""How sure a proportion is."""

from __future__ import annotations

from math import sqrt

Z = 1.959964
"""Of 95 %."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The interval of a proportion at 95 % (E. B. Wilson 1927): holds for small counts too,
    and for none or all. (0, 1) for nothing counted."""
    if of == 0:
        return 0.0, 1.0
    part, spread = hits / of, Z * Z / of
    middle = part + spread / 2
    width = Z * sqrt(part * (1 - part) / of + spread / (4 * of))
    low, high = (middle - width) / (1 + spread), (middle + width) / (1 + spread)
    return (0.0 if hits == 0 else low), (1.0 if hits == of else high)
