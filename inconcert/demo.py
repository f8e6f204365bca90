"""The demo: a simulated platform from files to findings, by the same paths as real data."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.clock import now
from graph.errors import UserError
from graph.log import Doc
from graph.store import RunRecord, Store, init_store, open_store
from inconcert.manners import Manners
from review.cases import CASE
from review.policy import Policy
from review.policy_history import in_force

if TYPE_CHECKING:
    from detectors.meetings import Meetings

ACCOUNTS, TRANSFERS, SEED, DAYS = 20_000, 250_000, 1, 60
LINE = Fraction(5, 100)
MARK = ".inconcert-demo"
KINDS = ("accounts", "transfers", "referrals", "sightings", "purchases", "holdings")


@dataclass(frozen=True)
class Demo:
    """What the demo made: the run, what hides in the world, where the files are."""

    run: RunRecord
    truth: list[dict[str, Any]]
    crowds: dict[str, list[str]]
    """Innocent crowds that hold over the line together, by name."""
    whales: list[dict[str, Any]]
    largest: dict[str, Any]
    plots: list[Path]
    counts: dict[str, int]
    cases: list[Doc]
    """The review queue."""
    policy: Policy
    """By which it was filled."""


def run_demo(manners: Manners, folder: Path, url: str | None) -> Demo:
    """Simulate, load, detect, draw. `url`: a store to load into instead of a new one."""
    from detectors.engine.detect import detect
    from detectors.engine.record import save
    from inconcert.asking import by_settings_in_force, make_request
    from inconcert.simulate import make_world, write_world
    from reports.plots import draw_run

    _fresh(folder)
    with manners.progress("simulating"):
        world = make_world(ACCOUNTS, TRANSFERS, SEED, DAYS)
        counts = write_world(world, folder / "world")
    store = manners.heard(_store(url, folder))
    load_world(manners, store, folder / "world", KINDS)
    with manners.progress("detecting") as advance:
        request = by_settings_in_force(make_request((), [LINE]), store)
        detection = detect(store, request, lambda stage: advance(note=stage))
        run = save(store, detection)
        alone = detect(store, make_request(("whale",), [LINE]))
    with manners.progress("filling the review queue"):
        _fill(store, run, detection.evidence.facts.meetings)
    with manners.progress("drawing"):
        plots = draw_run(store, run, folder / "plots")
    holdings = alone.snapshot.accounts.select("account", "holdings").sort(
        "holdings", descending=True
    )
    richest = holdings.row(0, named=True)
    share = float(Fraction(richest["holdings"]) / Fraction(alone.snapshot.supply))
    crowds = {name: [str(account) for account in world.crowd(name)] for name in ("club", "payroll")}
    return Demo(
        run,
        world.truth,
        crowds,
        alone.result["groups"],
        {"account": richest["account"], "share": share},
        plots,
        counts,
        list(store.log.views(CASE).values()),
        in_force(store.log.views("policy"), now()),
    )


def _fill(store: Store, run: RunRecord, met: Meetings) -> None:
    from inconcert.scoring import scores_of
    from inconcert.settings import settings
    from review.intake import fill
    from review.people import person

    fill(store, person(settings().review), run, scores_of(store, run, met))


def load_world(manners: Manners, store: Store, folder: Path, kinds: Sequence[str]) -> None:
    """Load a world's files, as `inconcert load` does."""
    from loaders.files import inputs
    from loaders.kinds import sources
    from loaders.load import Options, load

    for kind in kinds:
        with inputs([str(folder / f"{kind}.parquet")], None) as readers:
            total = sum(reader.size_bytes for reader in readers)
            with manners.progress(f"loading {kind}", total) as advance:
                loaded = load(store, sources()[kind], readers, Options(), progress=advance)
        if loaded.counts.quarantined:
            reason = next(iter(loaded.reasons))
            raise UserError(
                f"{loaded.counts.quarantined} simulated {kind} were refused: {reason}.",
                "Is this machine's clock, or INCONCERT_NOW, set to a date before the world's end?",
            )


def _fresh(folder: Path) -> None:
    """Clear what an earlier demo left; never anything else."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder.", "Name another with --out.")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise UserError(
                f"The folder {folder} holds something that is not an earlier demo's.",
                "Name another with --out.",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _store(url: str | None, folder: Path) -> Store:
    if url is None:
        return init_store(str(folder / "store"))
    try:
        return open_store(url)
    except UserError:
        return init_store(url)


FEWEST_OVERLAP = 0.3


def best_match(members: Sequence[str], run: RunRecord) -> tuple[float, dict[str, Any] | None]:
    """The finding that overlaps most with a set of accounts, and its Jaccard index; none
    where no finding overlaps by FEWEST_OVERLAP."""
    inside = set(members)
    best: tuple[float, dict[str, Any] | None] = (FEWEST_OVERLAP, None)
    for group in run.result["groups"]:
        found = {member["account"] for member in group["members"]}
        jaccard = len(inside & found) / len(inside | found)
        if jaccard > best[0]:
            best = jaccard, group
    return best
