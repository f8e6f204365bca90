"""What the judge's compiled steps share: a ground laid out for them, and what they counted of a
set. Numba unpacks every array of its arguments at every call, and for thirty of them that takes
as long as to count a small set. So they are bound once and handed over as one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.experimental import structref

from detectors.family import Floats


@structref.register
class _LayoutType(types.StructRef):
    pass


@structref.register
class _CountedType(types.StructRef):
    pass


class Layout(structref.StructRefProxy):
    """A ground. `ties`, `kinds`, `accounts` and `mixing`: see `count.py`; `speech`: see
    `bits.py`; `given`: which layers are given contacts, and their rates, shape (given layers,
    classes), only some of them `contacts`: the first so many; `families`: of each layer the
    number of its family; `tiers`: accounts of each; `holdings`: of each account."""


class Counted(structref.StructRefProxy):
    """What is `inside` a set (`count.Inside`, with what strangers would have), how many
    `contacts` of it, and what `naming` one more account costs it, by its tier, in bits."""


structref.define_proxy(  # type: ignore[no-untyped-call]
    Layout,
    _LayoutType,
    [
        "ties",
        "kinds",
        "accounts",
        "mixing",
        "speech",
        "given",
        "rates",
        "contacts",
        "families",
        "tiers",
        "holdings",
    ],
)
structref.define_proxy(Counted, _CountedType, ["inside", "contacts", "naming"])  # type: ignore[no-untyped-call]


class Weighed(NamedTuple):
    """A set as it is `counted`, its members by tier, its ties and what strangers would have, by
    layer, and what they say, in bits: by layer, in all (`said`; `held`: without what is
    `used_up`), and of its extent only (`belonging`)."""

    counted: Any
    by_tier: npt.NDArray[np.int64]
    ties: Floats
    expected: Floats
    bits: Floats
    said: float
    held: float
    used_up: float
    belonging: float


@njit(cache=True, nogil=True)
def lay_out(  # type: ignore[no-untyped-def]
    ties, kinds, accounts, mixing, speech, given, rates, contacts, families, tiers, holdings
):
    """A `Layout` of these."""
    return Layout(  # type: ignore[no-untyped-call]
        ties, kinds, accounts, mixing, speech, given, rates, contacts, families, tiers, holdings
    )
