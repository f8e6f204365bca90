"""What one policy changes of another, and whether it was announced in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from graph.errors import UserError
from review.policy import Policy, Rule, built_in
from review.policy_values import decimal, percent

Doc = Mapping[str, Any]


def differences(old: Policy, new: Policy) -> list[str]:
    """What the new policy changes, a sentence each; its name and date are no change."""
    return [*_of_rules(old, new), *_of_parts(old, new)]


def refuse_late(new: Policy, announced: datetime, in_force: Policy | None) -> None:
    """UserError, naming the rule, unless each rule that is new or changed was announced early
    enough before it takes effect.

    `in_force`: the policy that the new one follows; None: no rule was announced so far. Days
    are those of the calendar in the new policy's time zone. Of two policies that ask for
    different times of announcement the longer one counts.
    """
    needed = max(new.announce_days, (in_force or built_in()).announce_days)
    told = announced.astimezone(new.zone).date()
    for rule in changed_rules(new, in_force):
        effect = max(new.effective_from, rule.begins or new.effective_from)
        if announced > effect:
            raise UserError(
                f"Rule '{rule.id}' would reach back: it takes effect at "
                f"{time_text(effect, new)}, before its announcement at "
                f"{time_text(announced, new)}."
            )
        days = (effect.astimezone(new.zone).date() - told).days
        if days < needed:
            raise UserError(
                f"Rule '{rule.id}' takes effect on {effect.astimezone(new.zone).date()}, "
                f"{days} days after its announcement on {told}; a rule is announced at least "
                f"{needed} days before.",
                f"Let it take effect on {told + timedelta(days=needed)} or later.",
            )


def refuse_back(new: Policy, moment: datetime, in_force: Policy | None) -> None:
    """UserError, naming a rule, where the policy takes effect before a time, or says of a rule
    that is new or changed that it holds from before the policy on."""
    changed = changed_rules(new, in_force)
    if new.effective_from < moment:
        who = f"Rule '{changed[0].id}'" if changed else "The policy"
        raise UserError(
            f"{who} would reach back: it takes effect at {time_text(new.effective_from, new)}, "
            f"and it is {time_text(moment, new)}."
        )
    before = {rule.id: rule.begins for rule in in_force.rules} if in_force else {}
    for rule in changed:
        if rule.begins is None or before.get(rule.id) == rule.begins:
            continue
        if rule.begins < new.effective_from:
            raise UserError(
                f"Rule '{rule.id}' would reach back: it says from {time_text(rule.begins, new)}, "
                f"and the policy takes effect at {time_text(new.effective_from, new)}."
            )


def changed_rules(new: Policy, in_force: Policy | None) -> list[Rule]:
    """The rules of which a holder does not know yet: new ones, and those of which anything
    changed, with the level they name and, for a freeze, what follows it."""
    known = {rule.id: _terms(in_force, rule) for rule in in_force.rules} if in_force else {}
    return [rule for rule in new.rules if known.get(rule.id) != _terms(new, rule)]


def _terms(policy: Policy, rule: Rule) -> tuple[object, ...]:
    """All that follows from a rule."""
    follows = (policy.clock.at_expiry, policy.clock.waiting_hours)
    return rule, policy.levels[rule.level], follows if rule.action == "freeze" else ()


def time_text(moment: datetime, policy: Policy) -> str:
    """A time as clocks show it in the policy's time zone, with the distance to UTC."""
    local = moment.astimezone(policy.zone)
    return local.isoformat(" ", "minutes" if not local.second else "seconds")


def rule_text(rule: Rule, policy: Policy) -> str:
    """A rule in words: `accounts at 5 %: freeze, level red, review within 48 hours`."""
    holders = f" ({', '.join(rule.roles)})" if rule.roles else ""
    return f"{rule.on}s at {percent(rule.line)}{holders}: {rule.action}, {terms_text(rule, policy)}"


def terms_text(rule: Rule, policy: Policy) -> str:
    """A rule's terms beside holders, line and action."""
    parts = [f"level {rule.level}"]
    if rule.once:
        parts.append("once")
    if rule.review_hours is not None:
        parts.append(f"review within {rule.review_hours:g} hours")
    if rule.immediate:
        parts.append("at once")
    elif rule.provisional:
        parts.append("provisionally at once")
    elif rule.action == "freeze":
        parts.append("after two people agree")
    if rule.begins:
        parts.append(f"from {time_text(rule.begins, policy)}")
    if rule.until:
        parts.append(f"until {time_text(rule.until, policy)}")
    return ", ".join(parts)


def _of_rules(old: Policy, new: Policy) -> Iterator[str]:
    before, after = ({rule.id: rule for rule in policy.rules} for policy in (old, new))
    for name in sorted({*before, *after}):
        if name not in after:
            yield f"Rule '{name}' is gone ({rule_text(before[name], old)})."
        elif name not in before:
            yield f"Rule '{name}' is new: {rule_text(after[name], new)}."
        elif before[name] != after[name]:
            was, becomes = _spelt(before[name], old), _spelt(after[name], new)
            moved = [
                f"{setting} changes from {was[setting]} to {becomes[setting]}"
                for setting in was
                if was[setting] != becomes[setting]
            ]
            yield f"Rule '{name}': {'; '.join(moved)}."


def _spelt(rule: Rule, policy: Policy) -> dict[str, str]:
    """A rule's settings as text, by name."""
    hours, moments = rule.review_hours, {"from": rule.begins, "until": rule.until}
    return {
        "on": rule.on,
        "line": percent(rule.line),
        "action": rule.action,
        "level": rule.level,
        "once": _yes(rule.once),
        **{
            name: "none" if moment is None else time_text(moment, policy)
            for name, moment in moments.items()
        },
        "roles": " and ".join(rule.roles) or "all",
        "review_hours": "none" if hours is None else f"{hours:g}",
        "immediate": _yes(rule.immediate),
        "provisional": _yes(rule.provisional),
    }


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _of_parts(old: Policy, new: Policy) -> Iterator[str]:
    """What changes beside rules, setting by setting."""
    before, after = (dict(_flat(_rest(policy))) for policy in (old, new))
    for name in sorted({*before, *after}):
        if name not in after:
            yield f"{name} is gone (it was {before[name]})."
        elif name not in before:
            yield f"{name} is new: {after[name]}."
        elif before[name] != after[name]:
            yield f"{name} changes from {before[name]} to {after[name]}."


def _rest(policy: Policy) -> Doc:
    whole = policy.canonical
    for name in ("name", "effective_from", "rules"):
        del whole[name]
    weights = policy.score.weights
    whole["score"]["weights"] = {name: decimal(weight) for name, weight in weights.items()}
    return whole


def _flat(doc: Doc, place: str = "") -> Iterator[tuple[str, str]]:
    for name, value in doc.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{name}.")
        elif isinstance(value, list):
            yield f"{place}{name}", " and ".join(f"{one:g}" for one in value)
        else:
            yield f"{place}{name}", f"{value:g}" if isinstance(value, float) else str(value)
