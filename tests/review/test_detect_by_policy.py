"""Where no line is named, a detection is at those of the policy in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction

from queue_helpers import ANN, hold, members

from graph.store import Store
from inconcert.asking import by_policy_in_force, make_request
from review.log import act
from review.policy_history import adopt

POLICY = """
name = "p"
effective_from = {begin}
[[rules]]
id = "g"
on = "group"
line = "{line}"
action = "letter"
level = "yellow"
[[rules]]
id = "a"
on = "account"
line = "2%"
action = "notice"
level = "blue"
"""


def adopted(store: Store, begin: str, line: str) -> None:
    text = POLICY.format(begin=begin, line=line)
    told, made = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    act(store, ANN, lambda desk: adopt(desk, ANN.anybody(), text, told, "no. 1", made))


def test_the_lines_of_groups_of_the_policy_in_force_then(store: Store) -> None:
    hold(store, members((0, 3)))

    def ask(when: str | None) -> Sequence[Fraction]:
        return by_policy_in_force(make_request((), (), when), store).lines

    assert ask(None) == [Fraction(5, 100)]
    adopted(store, "2026-01-01", "4%")
    adopted(store, "2026-03-01", "3.5%")
    assert ask("2026-02-01") == [Fraction(4, 100)]
    assert ask("2026-03-01") == [Fraction(35, 1000)]
    assert ask("2025-12-31") == [Fraction(5, 100)]
