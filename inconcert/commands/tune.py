"""`inconcert tune`: what reviewers' decisions say about the settings of detection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from graph.errors import UserError
from inconcert.asking import LINE, request_of
from inconcert.manners import Manners, say, store_option

if TYPE_CHECKING:
    from datetime import datetime

    from detectors.settings import DetectionSettings
    from graph.store import RunSummary, Store

EXAMPLE = """\b
Examples:
  inconcert tune
  inconcert tune --decisions decisions.csv
  inconcert tune --decisions decisions.csv --replay 1
  inconcert tune --decisions decisions.csv --adopt --from 2027-01-01
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--decisions",
    "files",
    multiple=True,
    metavar="FILE",
    help="What was decided: CSV, JSON Lines, Parquet, or -. Repeatable.  [default: the queue]",
)
@click.option("--input-format", metavar="FORMAT", help="Of standard input: csv, jsonl, parquet.")
@click.option("--line", type=LINE, default="5%", show_default=True, help="The line in force.")
@click.option(
    "--runs",
    "most",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    help="Of how many past runs to say what would change.",
)
@click.option(
    "--replay",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Detect so many past runs again, twice, to see also what would be found new.",
)
@click.option("--adopt", is_flag=True, help="Write the proposed weights into inconcert.toml.")
@click.option(
    "--from", "begin", metavar="TIME", help="With --adopt: in force from then on.  [default: now]"
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(
    manners: Manners,
    files: tuple[str, ...],
    input_format: str | None,
    line: Fraction,
    most: int,
    replay: int,
    adopt: bool,
    begin: str | None,
    form: str,
) -> None:
    """Propose weights of the families, and a line, from what reviewers decided.

    Without --decisions they are those of the review queue. A row of FILE is a decision: group
    (its id), verdict (confirmed or refuted), at (when), by (whom), and if need be run. Of several
    decisions about the same accounts the last counts.

    Nothing changes by itself: the answer is a proposal, with what it would have changed in
    past runs. A person adopts it with --adopt. A line is never adopted here.
    """
    if begin and not adopt:
        raise click.UsageError("--from says from when on what is adopted: it needs --adopt.")
    store = manners.open()
    answer, latest = _proposal(manners, store, files, input_format, line, most)
    weights = {row["family"]: row["proposed"] for row in answer["families"]}
    if replay:
        answer["replay"] = _replayed(manners, store, weights, replay)
    if adopt:
        answer["adopted"] = _adopted(store, latest, weights, begin, answer["decisions"])
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    from reports.findings_text import show
    from reports.tuning_text import tuning

    show(tuning(answer))


def _proposal(
    manners: Manners,
    store: Store,
    files: Sequence[str],
    input_format: str | None,
    line: Fraction,
    most: int,
) -> tuple[dict[str, Any], DetectionSettings]:
    """The answer without what `--replay` and `--adopt` add, and the settings that it follows."""
    from detectors.engine.tune import changes, learn, one_each, proposed
    from detectors.engine.tune_line import propose_line
    from detectors.settings import DetectionSettings
    from inconcert.asking import refuse_unknown_weights
    from inconcert.decisions import find_cases, from_queue, read_decisions
    from inconcert.settings import settings

    refuse_unknown_weights()
    decisions = read_decisions(files, input_format) if files else from_queue(store)
    with manners.progress("tune") as advance:
        advance(note="looking up what was decided about")
        found = find_cases(store, decisions)
        cases = one_each(found.cases)
        latest = settings().detection[-1] if settings().detection else DetectionSettings()
        learnt = learn(cases)
        weights = proposed(latest, learnt)
        in_time = sorted(found.cases, key=lambda case: case.at)
        verdicts = {case.group: "confirmed" if case.confirmed else "refuted" for case in in_time}
        past = []
        for run in _whole(store)[:most]:
            advance(note=f"run {run.id}")
            past.append(changes(store.run(run.id).result, weights, verdicts))
    families = [
        {
            "family": family,
            "confirmed": learnt[family].confirmed if family in learnt else 0.0,
            "refuted": learnt[family].refuted if family in learnt else 0.0,
            "weight": latest.weights.get(family, 1.0),
            "proposed": weights.get(family, 1.0),
        }
        for family in sorted({*learnt, *latest.weights})
    ]
    answer = {
        "decisions": {
            "read": len(decisions),
            "confirmed": sum(case.confirmed for case in cases),
            "refuted": sum(not case.confirmed for case in cases),
            "replaced": len(found.cases) - len(cases),
            "of_pruned_runs": found.pruned,
            "of_single_accounts": found.alone,
        },
        "families": families,
        "version": latest.version,
        "runs": past,
        "replay": None,
        "line": propose_line(cases, line),
        "adopted": None,
    }
    return answer, latest


def _whole(store: Store) -> list[RunSummary]:
    """Runs that are not pruned, newest first."""
    return [run for run in store.runs() if not run.pruned]


def _replayed(
    manners: Manners, store: Store, weights: dict[str, float], most: int
) -> list[dict[str, Any]]:
    """The newest whole runs detected again, by their own settings and with other weights."""
    from dataclasses import replace

    from detectors.engine.detect import detect
    from detectors.engine.tune import compared

    answers = []
    for run in _whole(store)[:most]:
        with manners.progress(f"replay {run.id}") as advance:
            request = replace(request_of(run), permutations=0)  # chances decide nothing
            other = request.settings.model_copy(update={"weights": weights})
            before, after = (
                detect(store, replace(request, settings=one), lambda stage: advance(note=stage))
                for one in (request.settings, other)
            )
        as_of = run.result["run"]["as_of"]
        said = compared(before.result, after.result)
        answers.append({"run": run.id, "as_of": as_of, **said})
    return answers


def _adopted(
    store: Store,
    latest: DetectionSettings,
    weights: dict[str, float],
    begin: str | None,
    decisions: dict[str, int],
) -> dict[str, Any] | None:
    """Write the weights into `inconcert.toml`; None when they are in force already."""
    from graph.clock import iso, now, parse_time
    from graph.who import user
    from inconcert.adopting import following, table, with_table, write
    from inconcert.manners import SETTINGS_FILE
    from inconcert.settings import settings

    chosen = {family: weight for family, weight in weights.items() if weight != 1.0}
    if chosen == {family: weight for family, weight in latest.weights.items() if weight != 1.0}:
        return None
    moment = parse_time(begin) if begin else now()
    _refuse_to_reach_back(store, latest, moment)
    adopted = following(latest, chosen, moment)
    remark = (
        f"Adopted at {iso(now())} by {user()}: {decisions['confirmed']} confirmed and "
        f"{decisions['refuted']} refuted findings (inconcert tune)."
    )
    added = table(adopted, remark)
    text = SETTINGS_FILE.read_bytes().decode() if SETTINGS_FILE.exists() else ""
    try:
        whole = with_table(text, added)
    except UserError:
        say(added)
        raise
    write(whole)
    settings.cache_clear()
    return {"version": adopted.version, "effective_from": iso(moment), "table": added}


def _refuse_to_reach_back(store: Store, latest: DetectionSettings, moment: datetime) -> None:
    """UserError when settings would decide anew about a time that was judged by others."""
    from graph.clock import iso, parse_time

    before = latest.effective_from
    if before is not None and moment <= before:
        raise UserError(
            f"Version {latest.version} of the settings is in force from {iso(before)}: what "
            "follows it must begin later.",
            "Say a later --from.",
        )
    run = store.current_run()
    if run is not None and moment <= parse_time(run.result["run"]["as_of"]):
        raise UserError(
            f"Run {run.id} judged facts as of {run.result['run']['as_of']}: settings do not "
            "reach back to it.",
            "Say a later --from.",
        )
