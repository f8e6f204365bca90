"""What an appeal changes: shares, genuine purchases and the group, as of the case's run.

Figures are those of the run's own time and of what was known then (its as-of and its batch),
with what the appeal says put in. They are worked out step by step: what the run found, with
corrected holdings, with the explanation (the evidence between the accounts that it is about is
left out), and without the appealing account. Nothing is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from detectors.engine.ask import Inquiry, what_if
from detectors.engine.evidence import gather
from detectors.engine.request import Request
from graph.amount import plain
from graph.clock import iso, parse_time
from graph.errors import UserError
from graph.log import Doc
from graph.schema import AMOUNT, TIME
from graph.snapshot import Snapshot, exact_sum, snapshot
from graph.store import RunSummary, Store
from review.policy import Policy, Rule, crossed
from review.population import Population

FOUND, CORRECTED, EXPLAINED, WITHOUT = "found", "corrected", "explained", "without"
"""The steps: as the run found it, with corrected holdings, with the explanation too, and then
without the account."""


@dataclass(frozen=True)
class Claim:
    """What one holder says. Accounts as stored."""

    account: str
    receipts: tuple[tuple[str, Decimal, datetime], ...] = ()
    """Id, amount, time."""
    holdings: Decimal | None = None
    apart: tuple[str, ...] = ()
    """Accounts that an innocent explanation ties it to."""

    @classmethod
    def of(cls, appeal: Mapping[str, Any]) -> Claim:
        """A claim from the body of its event."""
        return cls(
            appeal["account"],
            tuple(
                (receipt, Decimal(amount), parse_time(at))
                for receipt, amount, at in zip(
                    appeal["receipts"], appeal["amounts"], appeal["times"], strict=True
                )
            ),
            None if appeal["holdings"] is None else Decimal(appeal["holdings"]),
            tuple(appeal["with"]),
        )


@dataclass(frozen=True)
class Claimed(Snapshot):
    """A snapshot in which some accounts (pairs of numbers) are declared unrelated."""

    apart: tuple[tuple[int, int], ...] = ()

    def facts(self, kind: str) -> pl.LazyFrame:
        """The kind's facts, and of links those that appeals declare."""
        frame = super().facts(kind)
        if kind != "links" or not self.apart:
            return frame
        declared = pl.DataFrame(self.apart, {"a": pl.Int32, "b": pl.Int32}, orient="row")
        declared = declared.with_columns(verdict=pl.lit("unrelated"), by=pl.lit("an appeal"))
        return pl.concat([frame, declared.lazy()], how="diagonal")


@dataclass(frozen=True)
class Then:
    """The time of a case's finding: its run, what was known, the policy in force."""

    store: Store
    run: RunSummary
    taken: Snapshot
    policy: Policy

    @classmethod
    def of(cls, store: Store, run: RunSummary, policy: Policy) -> Then:
        """As of a run, as known then."""
        about = run.result["run"]
        taken = snapshot(store, parse_time(about["as_of"]), about["known_at"] or None)
        return cls(store, run, taken, policy)

    def name(self, account: str) -> str:
        """An account as stored. UserError where nothing was known of it then."""
        return str(self.taken.accounts["account"][self.taken.number_of(account)])

    def corrected(self, claims: Iterable[Claim]) -> Snapshot:
        """With the holdings that claims correct. UserError where they are over the base."""
        right = {
            self.taken.number_of(claim.account): claim.holdings
            for claim in claims
            if claim.holdings is not None
        }
        if not right:
            return self.taken
        held = self.taken.accounts["holdings"].to_list()
        for number, amount in right.items():
            held[number] = amount
        accounts = self.taken.accounts.with_columns(holdings=pl.Series(held, dtype=AMOUNT))
        counted = exact_sum(accounts["holdings"])
        is_set = any(
            one.valid_from <= self.taken.as_of for one in self.store.supplies(self.taken.known_at)
        )
        supply = self.taken.supply if is_set else counted
        if counted > supply:
            raise UserError(
                f"With this holding the accounts would hold {plain(counted)}, more than the base "
                f"of {plain(supply)}."
            )
        return dataclasses.replace(self.taken, accounts=accounts, counted=counted, supply=supply)

    def explained(self, taken: Snapshot, claims: Iterable[Claim]) -> Snapshot:
        """With the accounts unrelated that claims explain."""
        apart = {
            (min(pair), max(pair))
            for claim in claims
            for other in claim.apart
            if len(pair := {taken.number_of(claim.account), taken.number_of(other)}) == 2
        }
        fields = {one.name: getattr(taken, one.name) for one in dataclasses.fields(Snapshot)}
        return Claimed(**fields, apart=tuple(sorted(apart))) if apart else taken


def compare(
    then: Then,
    case: Doc,
    members: Sequence[str],
    earlier: Sequence[Claim],
    claim: Claim,
    request_of: Callable[[RunSummary], Request],
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Before and after of a claim, side by side.

    `members`: of the case, as stored; `earlier`: claims that were upheld, which count before
    and after; `request_of`: the request that a run answered. The document: `account` (before
    and after: holdings, share, what is genuine, rules), `genuine` (of the group, before and
    after), `steps` (of the group, by the names above; none for a single account), `rule` (the
    strongest rule before and after), `holds` (whether a rule still holds).
    """
    is_group = case["on"] == "group"
    claims = [*earlier, claim]
    before, after = then.corrected(earlier), then.corrected(claims)
    tell("genuine purchases")
    accounts, together = _genuine(then, members, (before, earlier), (after, claims), claim.account)
    document: dict[str, Any] = {
        "case": case["id"],
        "on": case["on"],
        "account": claim.account,
        "run": then.run.id,
        "as_of": iso(then.taken.as_of),
        "known_at": then.taken.known_at,
        "base": [plain(before.supply), plain(after.supply)],
        "figures": accounts,
        "genuine": together if is_group else None,
        "steps": {},
        "outside": [one for one in claim.apart if one not in members],
    }
    if is_group:
        steps = _steps(then, case, members, earlier, claim, request_of, tell)
        document["steps"] = steps
        kept = [steps[name] for name in (FOUND, CORRECTED, EXPLAINED) if name in steps]
        document["rule"] = [kept[0]["rule"], kept[-1]["rule"]]
    else:
        document["rule"] = [(one["rules"] or [None])[0] for one in accounts]
    document["holds"] = document["rule"][1] is not None
    return document


def _genuine(
    then: Then,
    members: Sequence[str],
    before: tuple[Snapshot, Sequence[Claim]],
    after: tuple[Snapshot, Sequence[Claim]],
    account: str,
) -> tuple[list[Doc], list[Doc]]:
    """What the account, and all members together, hold, before and after."""
    own, together = [], []
    for taken, claims in (before, after):
        numbers = [taken.number_of(member) for member in members]
        groups = _groups(then.run, taken) or {"case": numbers}
        genuine = Population(
            taken,
            groups,
            mixing=then.policy.purchases.mixing,
            added=_added(taken, claims),
        ).genuine
        number = taken.number_of(account)
        role = taken.accounts["role"][number]
        held = Fraction(taken.accounts["holdings"][number])
        share = held / Fraction(taken.supply) if taken.supply else Fraction(0)
        rules = crossed(then.policy, "account", share, role, taken.as_of)
        own.append({**genuine.of([number]), "rules": [rule.id for rule in rules]})
        together.append(genuine.of(numbers))
    return own, together


def _groups(run: RunSummary, taken: Snapshot) -> dict[str, list[int]]:
    """The members of a run's groups; none where the run was pruned."""
    return {
        group["id"]: [taken.number_of(one["account"]) for one in group["members"]]
        for group in run.result["groups"]
        if "members" in group
    }


def _added(taken: Snapshot, claims: Sequence[Claim]) -> pl.DataFrame | None:
    """The purchases of receipts; those of later do not count yet."""
    rows = [
        (taken.number_of(claim.account), amount, at, receipt)
        for claim in claims
        for receipt, amount, at in claim.receipts
        if at <= taken.as_of
    ]
    schema = {"account": pl.Int32(), "amount": AMOUNT, "at": TIME, "receipt": pl.String()}
    return pl.DataFrame(rows, schema, orient="row") if rows else None


def _steps(
    then: Then,
    case: Doc,
    members: Sequence[str],
    earlier: Sequence[Claim],
    claim: Claim,
    request_of: Callable[[RunSummary], Request],
    tell: Callable[[str], None],
) -> dict[str, Doc]:
    """The group step by step, each with what the one before it has."""
    request = request_of(then.run)
    claims = [*earlier, claim]
    ways: dict[str, Callable[[], Snapshot]] = {
        FOUND: lambda: then.explained(then.corrected(earlier), earlier)
    }
    if claim.holdings is not None:
        ways[CORRECTED] = lambda: then.explained(then.corrected(claims), earlier)
    if claim.apart:
        ways[EXPLAINED] = lambda: then.explained(then.corrected(claims), claims)
    steps = {}
    for name, way in ways.items():
        tell(name)
        taken = way()
        evidence = gather(taken, request.families, weights=request.settings.weights)
        inquiry = Inquiry(request, evidence)
        steps[name] = _judged(then, case, inquiry, members)
    rest = [member for member in members if member != claim.account]
    if len(rest) > 1:
        steps[WITHOUT] = _judged(then, case, inquiry, rest)
    return steps


def _judged(then: Then, case: Doc, inquiry: Inquiry, members: Sequence[str]) -> Doc:
    """What is to be said of some accounts together, with the rule that still holds: their
    share is over its line, and they would still be reported."""
    taken = inquiry.evidence.snapshot
    numbers = [taken.number_of(member) for member in members]
    held = exact_sum(taken.accounts["holdings"].gather(numbers))
    share = Fraction(held) / Fraction(taken.supply) if taken.supply else Fraction(0)
    over: list[Rule] = crossed(then.policy, "group", share, None, taken.as_of)
    line = over[0].line if over else Fraction(case["line"]).limit_denominator(10**9)
    judged = what_if(inquiry, members, line)
    for reason in judged["reasons"]:
        del reason["facts"]
    # as a run has it: what is printed adds up
    evidence = round(sum(reason["bits"] for reason in judged["reasons"]), 3)
    strength = round(evidence - judged["cost_bits"], 3)
    rule = over[0].id if over and judged["reported"] else None
    return {**judged, "evidence_bits": evidence, "strength_bits": strength, "rule": rule}
