"""From a run to the queue: each finding continues a case or begins one.

What a run says becomes events: `found`, `seen`, `gone`, `merged`; what the policy orders at
once follows in the same transaction. A run is taken in once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import polars as pl

from detectors.family import detectors
from graph.amount import plain
from graph.clock import parse_time
from graph.errors import UserError
from graph.log import Actor, Desk, Doc, Draft
from graph.snapshot import Snapshot, snapshot
from graph.store import RunRecord, Store
from review import moves
from review.cases import CASE, MEMBERS, subject
from review.freezes import frozen
from review.lineage import SETS, Matched, how, match, mostly_in
from review.log import LAST, RUN, RUNS, act
from review.orders import ORDERING_GRADES, by_rule
from review.people import Person
from review.policy import Policy, Rule, crossed, lines
from review.policy_history import in_force

Group = dict[str, Any]

MATERIAL_SHARE = 0.005
"""Half a point more than when it was decided reopens a case."""

MATERIAL_ALIKE = 0.7
"""A closed case of which less than this is as it was is another finding."""

GRADES = ("indication", "corroborated", "conclusive")

NEVER_HOLDERS = ("issuer", "treasury")

INSTITUTIONS = ("exchange", "custodian", "merchant", "payroll")
"""They hold for many. A rule that does not name their class is looked at by people first."""

GROUPS = ("group",)

ATTEMPTS = 5
"""As often findings are matched anew, where another run came in meanwhile."""


class PastError(UserError):
    """A run says what was before what the queue knows."""


@dataclass
class Filled:
    """What a run did to the queue: how many cases by what happened, and orders by action."""

    cases: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Taking:
    """What every finding of a run shares."""

    run: str
    moment: datetime
    policy: Policy
    base: Doc
    fingerprint: str
    actor: Actor


def fill(
    store: Store, person: Person, run: RunRecord, scores: Mapping[str, Doc] | None = None
) -> Filled:
    """Take a run's findings into the queue. `scores`: by group id and account, where they are
    known. UserError where the run is pruned or in the queue already."""
    actor = person.acting("fill the queue", run.id, "operator", "senior", "investigator")
    if run.pruned:
        raise UserError(f"Run {run.id} was pruned: its groups are not kept.")
    about = run.result["run"]
    moment = parse_time(about["as_of"])
    taken = snapshot(store, moment, about["known_at"] or None)
    taking = _Taking(
        run.id,
        moment,
        in_force(store.log.views("policy"), moment),
        {"supply": plain(taken.supply), "rule": taken.base_rule, "as_of": about["as_of"]},
        store.properties.key_fingerprint,
        actor,
    )
    findings = [*_groups(run.result["groups"], taking), *_holders(taken, taking)]
    for finding in findings:
        name = finding["group"] if finding["on"] == "group" else finding["members"][0]["account"]
        finding["score"] = (scores or {}).get(name)
    _refuse_partial(run, taking.policy)
    for _ in range(ATTEMPTS):
        last = store.log.view(RUN, LAST)
        cases, members = store.log.views(CASE), store.log.views(MEMBERS)
        matched = _matched(cases, members, findings)
        holders = [key for key, case in cases.items() if case["on"] == "account"]
        step = partial(_fill, run=run, taking=taking, findings=findings, matched=matched)
        filled = act(store, person, partial(step, holders=holders, last=last))
        if filled is not None:
            return filled
    raise UserError("Other runs are being taken in all the time.", "Try again in a moment.")


def _fill(
    desk: Desk,
    run: RunRecord,
    taking: _Taking,
    findings: Sequence[Doc],
    matched: Matched,
    holders: Sequence[str],
    last: Doc | None,
) -> Filled | None:
    """The transaction; None where another run came in since its findings were matched."""
    about = run.result["run"]
    if desk.get(RUN, run.id):
        raise UserError(f"Run {run.id} is in the queue already.", "`inconcert review list`.")
    if desk.get(RUN, LAST) != last:
        return None
    if last and (why := passed(run, last)):
        raise PastError(why, "Detect as of now, and take that in.")
    desk.record(
        taking.actor,
        Draft(
            RUNS + run.id,
            "filled",
            {
                "result_sha256": run.result["result_sha256"],
                "as_of": about["as_of"],
                "known_at": about["known_at"],
                "policy": taking.policy.sha256,
                "findings": len(findings),
            },
        ),
    )
    return _take_in(desk, taking, findings, matched, holders)


def passed(run: RunRecord, last: Doc) -> str | None:
    """Says so where a run is of before what the queue knows. `last`: the run taken in last."""
    about = run.result["run"]
    older = parse_time(about["as_of"]) < parse_time(last["as_of"])
    if last["run"] == run.id or not (older or (about["known_at"] or 0) < (last["known_at"] or 0)):
        return None
    return (
        f"Run {run.id} (as of {about['as_of']}, known at batch {about['known_at']}) is of before "
        f"run {last['run']} (as of {last['as_of']}, batch {last['known_at']}), which is in the "
        "queue."
    )


def _refuse_partial(run: RunRecord, policy: Policy) -> None:
    """UserError for a run that did not look for all: what it did not look for would seem gone."""
    ran = run.result["run"].get("detectors")
    if ran is not None and (left := sorted(set(detectors()) - set(ran))):
        raise UserError(
            f"Run {run.id} looked without {left[0]}: what that finds would seem gone.",
            "Take in a detection with all detectors: `inconcert detect`.",
        )
    looked = {Fraction(line) for line in run.result["run"].get("exact_lines", ())}
    moment = parse_time(run.result["run"]["as_of"])
    wanted = [] if policy.built_in else lines(policy, moment, GROUPS)
    if looked and (missed := [line for line in wanted if line not in looked]):
        raise UserError(
            f"Run {run.id} did not look at the line of {float(missed[0]):.2%} of the policy.",
            "`inconcert detect` without --line looks at all of them.",
        )


def _groups(groups: Sequence[Group], taking: _Taking) -> Iterator[Doc]:
    """The findings that a rule is about, each group once: at the highest line it is over. Where it
    is that only as an indication, with others that bring it there, and below that line it is
    more by itself, it is what it is below: its rule acts."""
    taken: list[dict[str, float]] = []
    for group in sorted(groups, key=lambda one: (-one["line"], -one["share"], one["id"])):
        held = _held(group)
        if len(held) < 2 or any(mostly_in(held, other) for other in taken):
            continue
        taken.append(held)
        rule = _strongest(group, taking)
        if rule is None:
            continue
        sure = _sure_below(groups, group, rule, taking)
        yield _finding(*(sure or (group, rule)), taking)


def _sure_below(
    groups: Sequence[Group], group: Group, rule: Rule, taking: _Taking
) -> tuple[Group, Rule] | None:
    """The same group at the highest lower line at which its grade allows orders, with the weaker
    rule that it is over there. None where it may order as it is, or holds as much there, too."""
    if group["grade"] in ORDERING_GRADES:
        return None
    held = _held(group)
    for other in sorted(groups, key=lambda one: (-one["line"], -one["share"], one["id"])):
        inside = _held(other)
        if (
            other["line"] < group["line"]
            and other["grade"] in ORDERING_GRADES
            and len(inside) > 1
            and mostly_in(held, inside)
            and mostly_in(inside, held)
        ):
            weaker = _strongest(other, taking)
            return (other, weaker) if weaker and weaker.line < rule.line else None
    return None


def _strongest(group: Group, taking: _Taking) -> Rule | None:
    """The rule that acts on what a group holds."""
    share = Fraction(group["holdings"]) / Fraction(taking.base["supply"])
    rules = crossed(taking.policy, "group", share, None, taking.moment)
    return rules[0] if rules else None


def _held(group: Group) -> dict[str, float]:
    return {member["account"]: float(member["share"]) for member in group["members"]}


def _finding(group: Group, rule: Rule, taking: _Taking) -> Doc:
    kept = ("account", "share", "holdings", "bits", "named")
    return {
        "on": "group",
        "run": taking.run,
        "group": group["id"],
        "grade": group["grade"],
        "strength_bits": group["strength_bits"],
        "because": group.get("because", ""),
        "against": group.get("against", ""),
        "members": [
            {name: member[name] for name in kept if name in member} for member in group["members"]
        ],
        "may_order": group["grade"] in ORDERING_GRADES,
        **_of_rule(rule, group["share"], group["holdings"], len(group["members"]), taking),
    }


def _of_rule(rule: Rule, share: float, holdings: str, size: int, taking: _Taking) -> Doc:
    return {
        "line": float(rule.line),
        "rule": rule.id,
        "level": rule.level,
        "review_hours": rule.review_hours,
        "share": share,
        "holdings": holdings,
        "size": size,
        "as_of": taking.base["as_of"],
        "base": taking.base,
        "policy": taking.policy.sha256,
    }


def _holders(taken: Snapshot, taking: _Taking) -> Iterator[Doc]:
    """Single accounts that a rule is about by what they hold themselves."""
    lines = [rule.line for rule in taking.policy.rules if rule.on == "account"]
    if not lines or not taken.supply:
        return
    least = Decimal(str(float(min(lines)) * 0.999)) * taken.supply  # the exact rule decides below
    found = taken.accounts.filter(
        ~pl.col("excluded")
        & (pl.col("holdings").cast(pl.Float64) >= float(least))
        & ~pl.col("role").is_in(NEVER_HOLDERS).fill_null(False)
    )
    for account, role, held in found.select("account", "role", "holdings").iter_rows():
        share = Fraction(held) / Fraction(taken.supply)
        rules = crossed(taking.policy, "account", share, role, taking.moment)
        if not rules:
            continue
        text = f"{account} alone holds {float(share):.2%}."
        yield {
            "on": "account",
            "run": taking.run,
            "group": "",
            "grade": "conclusive",
            "strength_bits": 0.0,
            "because": text,
            "against": f"Its role: {role}." if role else "",
            "members": [{"account": account, "share": float(share), "holdings": plain(held)}],
            "may_order": role not in INSTITUTIONS or role in rules[0].roles,
            **_of_rule(rules[0], float(share), plain(held), 1, taking),
        }


def _matched(
    cases: Mapping[str, Doc], members: Mapping[str, Doc], findings: Sequence[Doc]
) -> Matched:
    """Which case each group continues. A duplicate stands for nothing of its own."""
    before = {
        key: members[key]["members"]
        for key, case in cases.items()
        if case["on"] == "group" and case.get("decision", {}).get("verdict") != "duplicate"
    }
    now = {one["group"]: one["members"] for one in findings if one["on"] == "group"}
    return match(_sets(before), _sets(now))


def _sets(sets: Mapping[str, Sequence[Doc]]) -> pl.DataFrame:
    rows = [
        (name, member["account"], member["share"]) for name, of in sets.items() for member in of
    ]
    return pl.DataFrame(rows, SETS, orient="row")


def _take_in(
    desk: Desk,
    taking: _Taking,
    findings: Sequence[Doc],
    matched: Matched,
    holders: Sequence[str],
) -> Filled:
    """`holders`: the cases of single accounts that there were."""
    filled = Filled()
    taken = {_take(desk, taking, finding, matched, filled) for finding in findings}
    for case, into in matched.merged.items():
        known = desk.get(CASE, case)
        if known and known["state"] != moves.CLOSED:
            said = {"change": f"flowed into {into}", "into": into, "run": taking.run}
            desk.record(taking.actor, Draft(subject(case), "merged", said))
            filled.cases["merged"] += 1
    for case in [*matched.gone, *(key for key in holders if key not in taken)]:
        _leave(desk, taking, case, filled)
    return filled


def _take(desk: Desk, taking: _Taking, finding: Doc, matched: Matched, filled: Filled) -> str:
    """Record what a run says of one finding; the id of its case."""
    if finding["on"] == "account":
        account = finding["members"][0]["account"]
        key = "a" + hashlib.sha256(account.encode()).hexdigest()[:10]
        known = desk.get(CASE, key)
        change = "born" if known is None else how(finding["share"] - known["share"])
    else:
        one = matched.findings[finding["group"]]
        continues = one.case if one.change != "split" else None
        key = continues or _new_key(desk, taking.run, finding["group"])
        known = desk.get(CASE, key)
        change = f"split from {one.case}" if one.change == "split" else one.change
    if known is None:
        desk.record(taking.actor, Draft(subject(key), "found", {**finding, "change": change}))
        filled.cases[change.split()[0]] += 1
    else:
        _see_again(desk, taking, finding, known, change, filled)
    case = desk.get(CASE, key)
    assert case is not None
    if case["state"] != moves.CLOSED:
        _order(desk, taking, case, filled)
    return key


def _new_key(desk: Desk, run: str, group: str) -> str:
    """A key that no case has. The same accounts may have been a case of their own before."""
    key = "g" + group[:10]
    while desk.get(CASE, key) is not None:
        key = "g" + hashlib.sha256(f"{run}/{key}".encode()).hexdigest()[:10]
    return key


def _see_again(
    desk: Desk, taking: _Taking, finding: Doc, known: Doc, change: str, filled: Filled
) -> None:
    closed = known["state"] == moves.CLOSED
    why = _material(desk, finding, known) if closed else []
    if closed and not why:
        filled.cases["closed and as it was"] += 1
        _propose(desk, taking, known["id"], taking.policy.rule(finding["rule"]), finding["members"])
        return
    key = subject(known["id"])
    desk.record(taking.actor, Draft(key, "seen", {**finding, "change": change}))
    filled.cases[change.split()[0]] += 1
    if why:
        said = {"why": " ".join(why), "material": True}
        desk.record(taking.actor, Draft(key, "reopened", said))
        filled.cases["reopened"] += 1


def _material(desk: Desk, finding: Doc, known: Doc) -> list[str]:
    """What has changed so much since a case was closed that it is another matter."""
    decided = known["decided"]
    why = []
    if finding["line"] > decided["line"]:
        why.append(f"It is over {finding['line']:.2%} now, and was over {decided['line']:.2%}.")
    elif finding["share"] >= decided["share"] + MATERIAL_SHARE:
        why.append(f"It holds {finding['share']:.2%} now, and held {decided['share']:.2%}.")
    if GRADES.index(finding["grade"]) > GRADES.index(decided["grade"]):
        why.append(f"It is {finding['grade']} now, and was {decided['grade']}.")
    if finding["on"] == "group":
        before = (desk.get(MEMBERS, known["id"]) or {"members": []})["members"]
        now = {one["account"]: one["share"] for one in finding["members"]}
        was = {one["account"]: one["share"] for one in before}
        both = sum(max(share, was[account]) for account, share in now.items() if account in was)
        every = sum(max(now.get(one, 0.0), was.get(one, 0.0)) for one in {*now, *was})
        if every and both / every < MATERIAL_ALIKE:
            why.append(f"Only {both / every:.0%} of what it holds is in the accounts of then.")
    return why


def _leave(desk: Desk, taking: _Taking, key: str, filled: Filled) -> None:
    """A group that no finding continues is not reproduced; it stays in the queue."""
    case = desk.get(CASE, key)
    if case is None or case.get("gone") or (case["state"] == moves.CLOSED and _free(case)):
        return
    said = {"change": "not_reproduced", "run": taking.run}
    desk.record(taking.actor, Draft(subject(key), "gone", said))
    filled.cases["not_reproduced"] += 1
    _propose(desk, taking, key, None, [])


def _order(desk: Desk, taking: _Taking, case: Doc, filled: Filled) -> None:
    rule = taking.policy.rule(case["rule"])
    for draft in by_rule(desk, taking.fingerprint, case, rule):
        desk.record(taking.actor, draft)
        filled.orders[rule.action] += len(draft.body["orders"])
    members = (desk.get(MEMBERS, case["id"]) or {"members": []})["members"]
    _propose(desk, taking, case["id"], rule, members)


def _propose(
    desk: Desk, taking: _Taking, key: str, rule: Rule | None, members: Sequence[Doc]
) -> None:
    """Propose to unfreeze what no rule freezes any more: all where the group is below the line
    that froze it, or not found again; those who left it otherwise. A proposal that has become
    void is taken back."""
    case = desk.get(CASE, key)
    if case is None or _free(case):
        return
    accounts: list[str] | None = None
    action: str | None = "unfreeze"
    if rule is not None and rule.action == "freeze":
        inside = {one["account"] for one in members}
        accounts = [one for one in frozen(desk, key) if one not in inside]
        action = "unfreeze" if accounts else None
    if (case.get("proposed"), case.get("proposed_for")) != (action, accounts or None):
        said = {"action": action, "accounts": accounts or None}
        desk.record(taking.actor, Draft(subject(key), "proposed", said))


def _free(case: Doc) -> bool:
    return case["freeze"] in ("none", "lifted")
