"""How a user's words become a detection: lines, detectors, times, engines."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from graph.clock import now, parse_time
from graph.errors import UserError

if TYPE_CHECKING:
    from detectors.engine.request import Request
    from detectors.family import Family
    from detectors.whale import Whale
    from graph.store import RunRecord, RunSummary, Store

DEFAULT_LINE = Fraction(5, 100)
FINEST_LINE_DIGITS = 38
"""A line of fewer than 10^-38 of all is below one unit of any amount."""


class LineType(click.ParamType[Fraction]):
    """A control line: `5%` or `0.05`, above 0 and below 100 %."""

    name = "line"

    def convert(
        self, value: str | Fraction, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """The line as an exact fraction."""
        if isinstance(value, Fraction):
            return value
        text = value.strip()
        try:
            exact = Decimal(text.removesuffix("%").strip())
            if not -FINEST_LINE_DIGITS <= exact.adjusted() <= FINEST_LINE_DIGITS:
                exact = Decimal(0)  # 1e999999999 would be written out digit by digit
            number = Fraction(exact)
        except (InvalidOperation, ValueError, OverflowError):
            self.fail(f"'{value}' is not a line; write 5% or 0.05.", param, ctx)
        if text.endswith("%"):
            number /= 100
        elif number >= 1:
            part = f"{Decimal(text) / 100:f}" if number < 100 else "0.05"
            self.fail(f"'{value}' could mean anything; write {text}% or {part}.", param, ctx)
        if not 0 < number < 1:
            self.fail(f"a line lies above 0 and below 100 %, not at '{value}'.", param, ctx)
        return number


LINE = LineType()


def choose_detectors(names: Sequence[str]) -> tuple[list[Family], Whale | None]:
    """The detectors named; none named: all families, fused. UsageError with the nearest name."""
    from detectors.family import detectors, per_account_checks

    families, checks = detectors(), per_account_checks()
    known = {**families, **checks}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(
                f"There is no detector '{name}'.{hint} There are: {', '.join(sorted(known))}."
            )
    if not names:
        return list(families.values()), None
    chosen = [families[name] for name in sorted(set(names)) if name in families]
    return chosen, next((checks[name] for name in names if name in checks), None)


def make_request(
    names: Sequence[str],
    lines: Sequence[Fraction],
    as_of: str | None = None,
    known_at: int | None = None,
    seed: int = 0,
    permutations: int = 99,
) -> Request:
    """A request for a detection, from the words of the command line, by the settings in force
    at its time or now: `by_settings_in_force` gives it those of the time it comes to mean."""
    from detectors.engine.request import Request
    from inconcert.settings import settings

    families, whale = choose_detectors(names)
    moment = parse_time(as_of) if as_of else None
    refuse_unknown_weights()
    return Request(
        families=families,
        whale=whale,
        lines=sorted(set(lines or [DEFAULT_LINE]), reverse=True),
        as_of=moment,
        known_at=known_at,
        seed=seed,
        permutations=permutations,
        settings=settings().detection_at(moment or now()),
    )


def by_settings_in_force(request: Request, store: Store) -> Request:
    """The request by the settings that are in force for facts as of its time: without one,
    that of the store's latest fact. UserError when the store has no such batch."""
    from graph.snapshot import moment_of
    from inconcert.settings import settings

    moment, _ = moment_of(store, request.as_of, request.known_at)
    return replace(request, settings=settings().detection_at(moment))


def by_policy_in_force(request: Request, store: Store) -> Request:
    """The request at the lines of the policy in force as of its time; as it is where none was
    published."""
    from graph.snapshot import moment_of
    from review.policy import lines
    from review.policy_history import KIND, in_force

    policies = store.log.views(KIND)
    if not policies:
        return request
    moment, _ = moment_of(store, request.as_of, request.known_at)
    policy = in_force(policies, moment)
    found = [] if policy.built_in else lines(policy, moment, ("group",))
    return replace(request, lines=found) if found else request


def refuse_unknown_weights() -> None:
    """UserError when `inconcert.toml` weighs a family that there is not."""
    from detectors.family import detectors
    from inconcert.settings import settings

    known = detectors()
    for name in sorted({name for one in settings().detection for name in one.weights}):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            sentence = f"inconcert.toml: detection.weights: there is no family '{name}'."
            raise UserError(sentence + hint)


class PrunedError(UserError):
    """What is asked of a run is no longer kept."""


def request_of(run: RunSummary) -> Request:
    """The request that a saved run answered, by its own settings, to rebuild its evidence."""
    from detectors.settings import DetectionSettings

    saved = run.result["run"]
    request = make_request(
        saved["detectors"],
        [Fraction(line) for line in saved["exact_lines"]],
        saved["as_of"],
        saved["known_at"] or None,
        saved["seed"],
        saved["permutations"],
    )
    return replace(request, settings=DetectionSettings.model_validate(saved["settings"]))


def find_summary(store: Store, name: str | None) -> RunSummary:
    """A run's summary by id, prefix, `last` (also None) or `previous`, the one saved before the
    last. UserError when there is none."""
    from graph.store import pick_run

    if name == "previous":
        saved = store.runs()[:2]
        if len(saved) < 2:
            raise UserError("There are no two runs on this store.", "Run `inconcert detect` again.")
        return saved[1]
    if name and name != "last":
        return pick_run(store.runs(name), name)
    current = store.current_run()
    if current is None:
        raise UserError("No detection has been run on this store.", "Run `inconcert detect`.")
    return current


def find_run(store: Store, name: str | None) -> RunRecord:
    """A run by id, prefix or `last` (also None). UserError when there is none, or when it is
    pruned."""
    run = store.run(find_summary(store, name).id)
    if run.pruned:
        raise PrunedError(
            f"Run {run.id} was pruned: only its summary is left.",
            f"`inconcert groups --run {run.id}` shows it.",
        )
    return run


def find_group(store: Store, group: str, run: str | None) -> tuple[RunRecord, dict[str, Any]]:
    """A group by id or unique prefix, in a named run or the latest that has it."""
    for summary in [find_summary(store, run)] if run else store.runs():
        found = [one["id"] for one in summary.result["groups"] if one["id"].startswith(group)]
        if len(found) > 1:
            raise UserError(f"'{group}' could be any of {', '.join(found)}.")
        if found:
            record = find_run(store, summary.id)
            return record, next(g for g in record.result["groups"] if g["id"] == found[0])
    raise UserError(
        f"There is no group '{group}' in {'this run' if run else 'any run'}.",
        "`inconcert groups` lists the groups of the last run.",
    )
