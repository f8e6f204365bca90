"""What `inconcert history` answers: of lines, and of one account, case or group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Literal
from zoneinfo import ZoneInfo

from graph.by_day import ByDay, by_day, first_told
from graph.clock import now
from graph.errors import UserError
from graph.store import Store, Tell
from inconcert.accounts import as_kept
from inconcert.asking import find_group
from review.line_history import Span, account_rows, group_rows
from review.periods import By
from review.policy import lines as lines_of
from review.policy_history import in_force
from review.share_history import found_steps, share_steps

Answer = dict[str, Any]
On = Literal["accounts", "groups", "both"]


@dataclass(frozen=True)
class Asked:
    """What a history is asked of: by which periods, which days, at which lines (none: those of
    the policy in force), as known at which batch."""

    by: By
    span: Span
    lines: tuple[Fraction, ...]
    known_at: int | None


def history_of_lines(store: Store, asked: Asked, on: On, tell: Tell) -> Answer:
    """How many accounts and groups stood over each line, by period."""
    zone, lines = _terms(store, asked)
    rows: list[Answer] = []
    if on != "groups":
        held = _held(store, asked, zone)
        rows += account_rows(held, lines, asked.by, asked.span, tell)
    if on != "accounts":
        rows += group_rows(store, lines, asked.by, zone, asked.span, tell, asked.known_at)
    return {**_said(store, asked, zone, lines), "rows": rows}


def history_of_account(store: Store, asked: Asked, account: str) -> Answer:
    """How the share of an account evolved. UserError when the store does not know it."""
    kept = as_kept(store, account)
    zone, lines = _terms(store, asked)
    steps = _steps(store, asked, zone, lines, [kept])
    return {**_said(store, asked, zone, lines), "account": kept, "accounts": 1, "steps": steps}


def history_of_group(store: Store, asked: Asked, group: str, run: str | None) -> Answer:
    """How the share of those evolved who are in a group of a run."""
    record, found = find_group(store, group, run)
    zone, lines = _terms(store, asked)
    names = [member["account"] for member in found["members"]]
    return {
        **_said(store, asked, zone, lines),
        "group": found["id"],
        "run": record.id,
        "accounts": len(names),
        "steps": _steps(store, asked, zone, lines, names),
    }


def history_of_case(store: Store, asked: Asked, case: str) -> Answer:
    """How the share of those evolved who are in a case now, and what each run said of it."""
    from review.cases import MEMBERS, subject

    members = (store.log.view(MEMBERS, case) or {"members": []})["members"]
    zone, lines = _terms(store, asked)
    names = [member["account"] for member in members]
    return {
        **_said(store, asked, zone, lines),
        "case": case,
        "accounts": len(names),
        "found": found_steps(list(store.log.events(subject(case)))),
        "steps": _steps(store, asked, zone, lines, names),
    }


def _terms(store: Store, asked: Asked) -> tuple[ZoneInfo, list[Fraction]]:
    """The time zone of the policy in force now, and the lines, the lowest first."""
    policy = in_force(store.log.views("policy"), now())
    lines = sorted(set(asked.lines)) or sorted(lines_of(policy, now()))
    if not lines:
        raise UserError("The policy in force has no line.", "Name one: `--line 5%`.")
    return policy.zone, lines


def _said(store: Store, asked: Asked, zone: ZoneInfo, lines: Sequence[Fraction]) -> Answer:
    last = store.batches()[-1:]
    return {
        "by": asked.by,
        "time_zone": zone.key,
        "from": _day(asked.span.begin),
        "to": _day(asked.span.end),
        "horizon": _day(first_told(store, zone)),
        "known_at": asked.known_at
        if asked.known_at is not None
        else (last[0].batch if last else 0),
        "rule": store.properties.holdings_rule,
        "lines": [float(line) for line in lines],
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _held(store: Store, asked: Asked, zone: ZoneInfo) -> ByDay:
    return by_day(store, zone, asked.known_at, asked.span.end, asked.span.begin)


def _steps(
    store: Store, asked: Asked, zone: ZoneInfo, lines: Sequence[Fraction], accounts: Sequence[str]
) -> list[Answer]:
    import polars as pl

    known = store.accounts().filter(pl.col("account").is_in(list(accounts))).collect()
    if missing := sorted({*accounts} - {*known["account"]}):
        raise UserError(f"There is no account '{missing[0]}' in the store.")
    held = _held(store, asked, zone)
    return share_steps(held, known["ix"].to_list(), lines, asked.by, asked.span)
