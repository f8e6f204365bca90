"""What the long form, `make faults`, does more of than `make test`: it sets INCONCERT_LONG."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis
import pytest

Test = TypeVar("Test", bound=Callable[..., Any])

LONG = "INCONCERT_LONG" in os.environ
FEW = 10


def examples(most: int, few: int = FEW, **more: Any) -> Callable[[Test], Test]:
    """Has hypothesis try so many examples in the long form; else a fourth of them, `few` at
    least. `more`: other settings of hypothesis."""
    tried = most if LONG else min(most, max(few, most // 4))

    def fewer(test: Test) -> Test:
        made: Test = hypothesis.settings(max_examples=tried, deadline=None, **more)(test)
        marked: Test = pytest.mark.examples(made)
        return marked

    return fewer
