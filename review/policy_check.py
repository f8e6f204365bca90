"""Where a policy contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING

from review.policy_values import decimal, percent

if TYPE_CHECKING:
    from review.policy import Policy, Rule

ACTIONS = ("notice", "letter", "freeze")
"""From weak to strong."""

INDICATORS = (
    "frequency",
    "amounts",
    "purchases",
    "genuine_share",
    "referrals",
    "concentration",
    "speed",
    "retention",
    "identifiers",
    "age",
    "lockstep",
    "closeness",
)
"""What a score is made of."""


def contradictions(policy: Policy) -> list[str]:
    """What cannot hold together, a sentence each, with the rule's id; empty for a sound one."""
    return [
        *_of_ids(policy),
        *(sentence for rule in policy.rules for sentence in _of_rule(policy, rule)),
        *(
            sentence
            for one, other in permutations(policy.rules, 2)
            for sentence in _of_two(one, other)
        ),
        *_of_levels(policy),
        *_of_weights(policy),
    ]


def _of_ids(policy: Policy) -> Iterator[str]:
    if not policy.rules:
        yield "It has no rule."
    for name, times in Counter(rule.id for rule in policy.rules).items():
        if times > 1:
            yield f"There are {times} rules with the id '{name}'."


def _of_rule(policy: Policy, rule: Rule) -> Iterator[str]:
    named = f"Rule '{rule.id}'"
    if rule.level not in policy.levels:
        yield f"{named} names the level '{rule.level}', which there is not."
    if rule.begins and rule.until and rule.until <= rule.begins:
        yield f"{named} ends before it begins."
    elif rule.until and rule.until <= policy.effective_from:
        yield f"{named} ends before the policy takes effect."
    if rule.once and rule.action != "notice":
        yield f"{named} is a {rule.action}; only a notice is given once."
    if rule.action != "freeze":
        for said, setting in (
            (rule.review_hours is not None, "review_hours"),
            (rule.immediate, "immediate"),
            (rule.provisional, "provisional"),
        ):
            if said:
                yield f"{named} is a {rule.action}; {setting} is of a freeze only."
        return
    if rule.review_hours is None:
        yield f"{named} freezes without review_hours, of its own or of level '{rule.level}'."
    if rule.on == "group" and rule.immediate:
        yield (
            f"{named} freezes a group at once; a group is frozen after two people agree, or "
            "before that with provisional = true."
        )
    if rule.on == "account" and rule.provisional:
        yield f"{named} is on an account; provisional is of groups only."


def _of_two(weak: Rule, strong: Rule) -> Iterator[str]:
    if weak.on != strong.on or not _same_holders(weak, strong):
        return
    if ACTIONS.index(weak.action) < ACTIONS.index(strong.action):
        if weak.line > strong.line and _holds_throughout(strong, weak):
            yield (
                f"Rule '{weak.id}' ({weak.action} at {percent(weak.line)}) comes too late: rule "
                f"'{strong.id}' says {strong.action} from {percent(strong.line)} on."
            )
    elif weak.id < strong.id and _same_step(weak, strong) and _overlap(weak, strong):
        yield (
            f"Rules '{weak.id}' and '{strong.id}' both say {weak.action} at "
            f"{percent(weak.line)} for the same holders at the same time."
        )


def _same_step(one: Rule, other: Rule) -> bool:
    return one.action == other.action and one.line == other.line


def _same_holders(one: Rule, other: Rule) -> bool:
    """Whether there is a class of holder that both rules hold for."""
    return not one.roles or not other.roles or bool({*one.roles} & {*other.roles})


def _holds_throughout(rule: Rule, other: Rule) -> bool:
    """Whether it holds whenever the other does. A temporary line may be stricter for its time
    than what holds always: that is what it is for."""
    begins = rule.begins is None or (other.begins is not None and rule.begins <= other.begins)
    ends = rule.until is None or (other.until is not None and other.until <= rule.until)
    return begins and ends


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether there is a time at which both rules hold."""
    apart = (one.until and other.begins and one.until <= other.begins) or (
        other.until and one.begins and other.until <= one.begins
    )
    return not apart


def _of_levels(policy: Policy) -> Iterator[str]:
    by_severity: dict[int, str] = {}
    for name, level in policy.levels.items():
        other = by_severity.setdefault(level.severity, name)
        if other != name:
            yield f"Levels '{other}' and '{name}' are equally severe ({level.severity})."


def _of_weights(policy: Policy) -> Iterator[str]:
    for name in policy.score.weights:
        if name not in INDICATORS:
            yield f"score.weights: there is no indicator '{name}'."
            return
    total = sum(policy.score.weights.values(), Fraction(0))
    if total != 100:
        yield f"The weights of the score sum to {decimal(total)}, not to 100."
