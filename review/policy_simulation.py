"""Whom the lines of a policy would have touched in past runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import polars as pl

from graph.clock import parse_time
from graph.schema import AMOUNT
from graph.snapshot import holdings_as_of
from graph.store import RunSummary, Store, Tell
from review.policy import ROLE_UNSTATED, Policy, Rule
from review.standing import groups_at, least_over, looked_at

Answer = dict[str, Any]
Found = dict[str, list[pl.Series]]
"""By rule, for each run: the accounts over its line."""


def simulate(store: Store, policy: Policy, runs: Sequence[RunSummary], tell: Tell) -> Answer:
    """Of each rule: how many accounts or groups are over its line in each run.

    `runs`: newest first; shares are on the base that each of them took. Every rule counts as if
    it had held at that time, whatever its `from` and `until` say. Groups are those that the run
    found at that very line; null where it did not look for any there.
    """
    found: Found = {rule.id: [] for rule in policy.rules if rule.on == "account"}
    known: dict[tuple[str, int, str], dict[str, pl.Series]] = {}
    for run in runs if found else ():
        tell(f"run {run.id}")
        facts = (run.result["run"]["as_of"], run.result["run"]["known_at"], run.result["supply"])
        if facts not in known:
            known[facts] = _accounts_over(store, policy, *facts)
        for name, accounts in known[facts].items():
            found[name].append(accounts)
    return {
        "runs": [
            {
                "run": run.id,
                "as_of": run.result["run"]["as_of"],
                "accounts": run.result["accounts"],
                "supply": run.result["supply"],
                "lines": run.result["lines"],
            }
            for run in runs
        ],
        "rules": [
            _of_accounts(rule, found[rule.id])
            if rule.on == "account"
            else _of_groups(rule, [_groups_over(rule, run.result) for run in runs])
            for rule in policy.rules
        ],
    }


def _accounts_over(
    store: Store, policy: Policy, as_of: str, known_at: int, base: str
) -> dict[str, pl.Series]:
    """By rule on accounts: the ids of those over its line."""
    taken = holdings_as_of(store, parse_time(as_of), known_at or None)
    holders = taken.accounts.select("account", "holdings", pl.col("role").fill_null(ROLE_UNSTATED))
    supply = Fraction(base)
    over = {}
    for rule in policy.rules:
        if rule.on == "account":
            chosen = pl.col("role").is_in(rule.roles) if rule.roles else pl.lit(True)
            reached = pl.col("holdings") >= pl.lit(least_over(rule.line, supply), dtype=AMOUNT)
            # without a base nobody has a share of it
            over[rule.id] = holders.filter(reached & chosen & (supply > 0))["account"]
    return over


def _groups_over(rule: Rule, result: Mapping[str, Any]) -> dict[str, int] | None:
    """The groups that a run found at a rule's line; None where it looked for none there."""
    if not looked_at(result, rule.line):
        return None
    for_groups = not rule.roles or ROLE_UNSTATED in rule.roles
    groups = groups_at(result, rule.line) if for_groups else []
    return {
        "groups": len(groups),
        "may_lead_to_an_order": sum(group["grade"] != "indication" for group in groups),
        "accounts": sum(group["size"] for group in groups),
    }


def _of_accounts(rule: Rule, over: Sequence[pl.Series]) -> Answer:
    by_run = [len(accounts) for accounts in over]
    return {
        **_named(rule),
        "last": by_run[0],
        "most": max(by_run),
        "distinct": pl.concat(over).n_unique(),
        "by_run": by_run,
    }


def _of_groups(rule: Rule, over: Sequence[dict[str, int] | None]) -> Answer:
    by_run = [None if found is None else found["groups"] for found in over]
    return {
        **_named(rule),
        "last": over[0],
        "most": max((number for number in by_run if number is not None), default=None),
        "runs_that_did_not_look": by_run.count(None),
        "by_run": by_run,
    }


def _named(rule: Rule) -> Answer:
    return {
        "rule": rule.id,
        "on": rule.on,
        "line": float(rule.line),
        "action": rule.action,
        "roles": list(rule.roles),
    }
