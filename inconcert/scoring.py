"""The scores of a run's findings, for the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.clock import parse_time

if TYPE_CHECKING:
    from detectors.meetings import Meetings
    from graph.log import Doc
    from graph.store import RunRecord, Store

JUST_BELOW = 0.999
"""Accounts from this part of the lowest line on are scored: which are over it is said exactly
elsewhere."""


def scores_of(store: Store, run: RunRecord, met: Meetings | None = None) -> dict[str, Doc]:
    """The score of each group of a run by its id, and of each account about the lowest line of
    single accounts by its name, as of the run and known then, by the policy in force. `met`: who
    meets whom, where the run was detected just now."""
    import polars as pl

    from graph.snapshot import snapshot
    from review.policy_history import in_force
    from review.score import scores

    about = run.result["run"]
    moment = parse_time(about["as_of"])
    policy = in_force(store.log.views("policy"), moment)
    taken = snapshot(store, moment, about["known_at"] or None)
    groups = {
        group["id"]: [taken.number_of(one["account"]) for one in group["members"]]
        for group in run.result["groups"]
    }
    lines = [float(rule.line) for rule in policy.rules if rule.on == "account"]
    large: list[int] = []
    if lines and taken.supply:
        least = min(lines) * float(taken.supply) * JUST_BELOW
        large = (taken.accounts["holdings"].cast(pl.Float64) >= least).arg_true().to_list()
    found = scores(
        taken,
        policy.score.weights,
        groups,
        large,
        red_from=float(policy.score.red_from),
        mixing=policy.purchases.mixing,
        met=met,
    )
    return {**found["accounts"], **found["groups"]}
