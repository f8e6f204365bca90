"""docs/accuracy.md, written from the answer alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from inconcert.bench.accuracy.run import TUNING_SEED
from inconcert.bench.accuracy.tables import Table, tables

HEAD = """\
# Accuracy

This page is written by a command; do not edit it:

```
{command}
```

{plan}
The first generator makes *plain* worlds, the second those of an *adversary*: operators who know
that they are watched, innocents who look guilty. Worlds from seed {seed} on were not
used for tuning; peers are tuned on seeds from {tuning} on. Both generators are simulations, made
by rules that are known. The figures say how these methods compare on the same worlds, not how
they would do against people who are not simulated.

A group is found *at 0.8* when its members and those of a finding overlap by 0.8 or more in
Jaccard's index (common accounts, as a part of both together). A finding is right when it
overlaps a group at 0.5 and false when it overlaps none at 0.1 and is no piece of one. A crowd of
innocents that holds the line and deals among itself *is* a structure over the line: as an
indication, with its doubt, it is shown for review; as an order it would be an accusation.
Intervals in brackets are of 95 % (Wilson), in per cent; groups of one world are not quite
independent.

{machine} Settings: `{settings}`.
"""


def report(answer: dict[str, Any], command: str) -> str:
    """The whole page; `command` is what wrote it."""
    plan, machine = answer["plan"], answer["machine"]
    head = HEAD.format(
        command=command,
        plan=f"Worlds of {plan['accounts']:,} accounts and {plan['transfers']:,} transfers.",
        seed=plan["seed"],
        tuning=TUNING_SEED,
        machine=f"Measured with Python {machine['python']} on {machine['processors']} processors.",
        settings=answer["settings_sha256"][:12],
    )
    return "\n".join([head, *(_markdown(table) for table in tables(answer))])


def _markdown(table: Table) -> str:
    lines = [f"## {table.heading}", "", *_wrapped(table.words), ""]
    lines += [_line(table.columns), _line(["---"] * len(table.columns))]
    lines += [_line(row) for row in table.rows]
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _wrapped(words: str, width: int = 100) -> list[str]:
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
