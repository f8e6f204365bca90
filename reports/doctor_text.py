"""What `doctor` found, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

MARKS = {"ok": "ok      ", "warning": "WARNING ", "problem": "PROBLEM ", "unknown": "?       "}


def doctor_text(checks: Sequence[Mapping[str, Any]]) -> str:
    """A line for each finding, what to do below it, and how many there are of each at the end."""
    width = max(len(one["check"]) for one in checks)
    lines, levels = [], Counter[str]()
    for one in checks:
        name = one["check"]
        for finding in one["findings"]:
            levels[finding["level"]] += 1
            lines.append(f"{name:<{width}}  {MARKS[finding['level']]} {finding['text']}")
            if finding["hint"]:
                lines.append(f"{'':<{width}}  {'':8} -> {finding['hint']}")
            name = ""
    wrong, doubtful = levels["problem"], levels["warning"]
    lines.append(
        f"{_count(wrong, 'problem')}, {_count(doubtful, 'warning')}."
        if wrong or doubtful
        else "Nothing is wrong."
    )
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number or 'No'} {noun}{'' if number == 1 else 's'}"
