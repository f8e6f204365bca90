"""The policy: what follows from a share, by the platform's own rules.

`policy.toml` says it, `parse` reads it. A policy is never changed: another one takes effect
after it, and each is known by its SHA-256. Shares, lines and weights are exact fractions.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from graph.errors import UserError
from review.policy_check import ACTIONS, INDICATORS, contradictions
from review.policy_values import (
    Days,
    Flag,
    Hours,
    Line,
    Moment,
    Name,
    Number,
    Weight,
    Words,
    Zone,
    moment_in,
    sentence_of,
)

BUILT_IN: Final = "built-in"
"""The name of the policy that holds where none was published or adopted."""

Role = Literal["issuer", "treasury", "custodian", "exchange", "merchant", "payroll", "person"]
"""As `graph.schema.ROLES`, which is slow to import."""

ROLE_UNSTATED: Role = "person"
"""What an account is of which nobody stated a role."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """`[[rules]]`: at or over a line, an action."""

    id: Name
    on: Literal["account", "group"]
    """Whose holdings: one account's own, or a group's together."""
    line: Line
    action: Literal["notice", "letter", "freeze"]
    level: Name
    once: Flag = False
    """A notice that an account gets once ever."""
    begins: Moment | None = Field(None, alias="from")
    """In UTC, inclusive. None: as soon as the policy takes effect."""
    until: Moment | None = None
    """In UTC, exclusive. None: as long as the policy holds."""
    roles: tuple[Role, ...] = ()
    """The classes of holder it holds for, sorted. None named: all."""
    review_hours: Hours | None = None
    """From the acknowledgement of a freeze. Of a freeze always given: its own or its level's."""
    immediate: Flag = False
    """Of a freeze on an account: the order goes out at once."""
    provisional: Flag = False
    """Of a freeze on a group: the order goes out before two people agree."""

    @field_validator("roles")
    @classmethod
    def _sorted(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        return tuple(sorted(set(roles)))

    def holds(self, role: str | None, moment: datetime) -> bool:
        """Whether it holds for a class of holder at a time, while its policy is in force."""
        begun = self.begins is None or self.begins <= moment
        over = self.until is not None and self.until <= moment
        return begun and not over and (not self.roles or (role or ROLE_UNSTATED) in self.roles)


class Level(_Part):
    """`[levels.NAME]`: how urgent a case is, and what becomes of it."""

    severity: Annotated[int, Field(strict=True, ge=0, le=1000)]
    """A higher one is more severe. Of each level another."""
    review_hours: Hours | None = None
    disposition: Words
    unfreeze_hours: Hours
    """Within which an unfreezing is carried out once it is due."""


class Clock(_Part):
    """`[clock]`: of a review, and of the holder's answer."""

    warn_at: tuple[Annotated[Number, Field(gt=0, lt=1)], ...] = (0.5, 0.8)
    """Parts of the review time, ascending."""
    at_expiry: Literal["unfreeze_and_escalate", "escalate"] = "unfreeze_and_escalate"
    waiting_hours: Hours = 168.0

    @field_validator("warn_at")
    @classmethod
    def _ascending(cls, parts: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(parts)))


class Score(_Part):
    """`[score]`: what each of the twelve indicators counts, of 100 in all."""

    red_from: Annotated[Number, Field(ge=0, le=100)] = 60.0
    weights: dict[str, Weight]
    """By indicator, all twelve. One that the file does not name counts 0."""


class Purchases(_Part):
    """`[purchases]`: how points with and without a receipt mix in an account."""

    mixing: Literal["pro_rata", "first_in_first_out"] = "pro_rata"


class Policy(_Part):
    """`policy.toml`. Get one by `parse`."""

    name: Words
    time_zone: Zone
    """In which days and announcements are counted, and times without a zone are read."""
    effective_from: Moment
    """In UTC."""
    announce_days: Days = 15
    retention_days: Annotated[Days, Field(ge=1)] = 1825
    """For which a closed case is kept."""
    rules: tuple[Rule, ...]
    """By id."""
    levels: dict[Name, Level]
    clock: Clock = Clock()
    score: Score
    purchases: Purchases = Purchases()

    @field_validator("rules")
    @classmethod
    def _by_id(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(sorted(rules, key=lambda rule: rule.id))

    @property
    def built_in(self) -> bool:
        """Whether it is the program's own, which nobody published."""
        return self.name == BUILT_IN

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def canonical(self) -> dict[str, Any]:
        """The policy as JSON, in the one form that equal policies share. `restore` reads it."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def sha256(self) -> str:
        """The policy's name for machines: the digest of its canonical form."""
        text = json.dumps(self.canonical, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def rule(self, name: str) -> Rule:
        """A rule by its id. KeyError when there is none."""
        return {rule.id: rule for rule in self.rules}[name]

    def by_severity(self) -> list[str]:
        """The names of the levels, the most severe first."""
        return sorted(self.levels, key=lambda name: -self.levels[name].severity)


SETTINGS = sorted(
    {
        field.alias or name
        for part in (Policy, Rule, Level, Clock, Score, Purchases)
        for name, field in part.model_fields.items()
    }
)
"""The names of all settings."""


def parse(text: str, source: str = "policy.toml") -> Policy:
    """The policy that a TOML text says. `source`: where it is from, for messages.

    UserError, in one sentence, where it is wrong or contradicts itself.
    """
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except (ArithmeticError, RecursionError):
        raise UserError(f"{source} cannot be read: a number or a nesting is too large.") from None
    except ValueError as error:
        raise UserError(f"{source} is not valid TOML: {error}.") from None
    policy = _validated(raw, source)
    if found := contradictions(policy):
        raise UserError(f"{source}: {found[0]}")
    return policy


def restore(canonical: Mapping[str, Any], source: str) -> Policy:
    """A policy from its canonical form. UserError where this version does not understand it."""
    return _validated(canonical, source)


def _validated(raw: Mapping[str, Any], source: str) -> Policy:
    try:
        return Policy.model_validate(_filled(raw))
    except ValidationError as error:
        raise UserError(f"{source}: {sentence_of(error.errors(), raw, SETTINGS)}") from None


def _filled(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a file leaves out, put in; times in UTC. What is wrong in it stays as it is."""
    own = _built_in_toml()
    whole = {"levels": own["levels"], "time_zone": "UTC", "score": {}, **raw}
    if isinstance(score := whole["score"], Mapping):
        weights = score.get("weights", own["score"]["weights"])
        if isinstance(weights, Mapping):
            weights = {**dict.fromkeys(INDICATORS, 0), **weights}
        whole["score"] = {**score, "weights": weights}
    if isinstance(rules := whole.get("rules"), list):
        whole["rules"] = [_filled_rule(rule, whole["levels"]) for rule in rules]
        for rule in whole["rules"]:
            _read_times(whole["time_zone"], rule, "from", "until")
    _read_times(whole["time_zone"], whole, "effective_from")
    return whole


def _filled_rule(rule: Any, levels: Any) -> Any:
    """A rule; where it freezes with its review hours and `immediate`."""
    if not isinstance(rule, Mapping) or rule.get("action") != "freeze":
        return dict(rule) if isinstance(rule, Mapping) else rule
    filled = {"immediate": rule.get("on") == "account", **rule}
    level = levels.get(str(rule.get("level"))) if isinstance(levels, Mapping) else None
    if isinstance(level, Mapping) and level.get("review_hours") is not None:
        filled.setdefault("review_hours", level["review_hours"])
    return filled


def _read_times(time_zone: Any, part: Any, *names: str) -> None:
    """Times of a part of the file, in UTC."""
    for name in names:
        if isinstance(part, dict) and part.get(name) is not None:
            with suppress(ValueError, TypeError, OSError, KeyError, AttributeError):
                part[name] = moment_in(ZoneInfo(time_zone), part[name])


@cache
def default_toml() -> str:
    """The text of the built-in policy."""
    return (resources.files("review") / "policy.toml").read_text(encoding="utf-8")


@cache
def _built_in_toml() -> dict[str, Any]:
    return tomllib.loads(default_toml(), parse_float=Decimal)


@cache
def built_in() -> Policy:
    """The policy that holds where none was published or adopted."""
    return parse(default_toml(), "the built-in policy")


def template(effective_from: date) -> str:
    """A policy to begin with: the built-in one with another name and date."""
    head, rest = default_toml().split("# ---\n", 1)
    lines = [
        'name = "Rules of the platform"',
        f"effective_from = {effective_from.isoformat()}",
        *(line for line in head.splitlines() if line.startswith("time_zone")),
    ]
    return "\n".join(lines) + "\n" + rest


def crossed(
    policy: Policy,
    on: Literal["account", "group"],
    share: Fraction,
    role: str | None,
    moment: datetime,
) -> list[Rule]:
    """The rules that a share is at or over, the strongest action first, then the highest line.

    Exact: 5 % is over a line of 5 %. `role`: the class of holder, None where nobody stated
    one, and for a group.
    """
    over = [
        rule
        for rule in policy.rules
        if rule.on == on and share >= rule.line and rule.holds(role, moment)
    ]
    return sorted(over, key=lambda rule: (-ACTIONS.index(rule.action), -rule.line, rule.id))


def lines(
    policy: Policy, moment: datetime, on: Collection[str] = ("account", "group")
) -> list[Fraction]:
    """The lines that hold at a time for any class of holder, each once, the highest first."""
    found = {
        rule.line
        for rule in policy.rules
        if rule.on in on and any(rule.holds(role, moment) for role in rule.roles or (None,))
    }
    return sorted(found, reverse=True)
