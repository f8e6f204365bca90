"""One file a plot, found by registration: a module here that defines `PLOT` is a plot.

Copy `share_without.py` to begin a new one: a pure function that makes the data from a
`Subject`, and one that draws it. Nothing else has to be edited.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graph.errors import UserError
from graph.store import RunRecord, Store
from reports.wording import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.material import Material


@dataclass(frozen=True)
class Subject:
    """What is drawn: a run, and for the plots of a group that group with its facts."""

    run: RunRecord
    group: Group | None = None
    material: Material | None = None

    @property
    def details(self) -> dict[str, Any]:
        """What the run kept of the group beside its result; empty for a single account."""
        return self.run.details.get(self.group["id"], {}) if self.group else {}


@dataclass(frozen=True)
class Plot:
    """`draw` gives None where there is nothing to draw (no curve, no transfers)."""

    name: str
    """Ends the name of the file: GROUP-name.png."""
    of: Literal["run", "group"]
    draw: Callable[[Subject], Figure | None]


@functools.cache
def plots() -> tuple[Plot, ...]:
    """Every plot of this folder, by name."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(importlib.import_module(f"{__name__}.{name}").PLOT for name in modules)


def draw_group(
    store: Store, run: RunRecord, group: Group, folder: Path, ending: str = "png"
) -> list[Path]:
    """Write every plot of a group into a folder; returns the files written."""
    return list(_draw(store, run, [group], folder, ending, with_run=False))


def draw_run(
    store: Store,
    run: RunRecord,
    folder: Path,
    ending: str = "png",
    progress: Callable[[int, str], None] = lambda done, note: None,
) -> list[Path]:
    """Write the run's own plots and those of all its groups. `progress` is told how many
    files are written and the next group."""
    written = []
    for path in _draw(store, run, run.result["groups"], folder, ending, with_run=True):
        written.append(path)
        progress(len(written), path.name)
    return written


def expected_files(run: RunRecord) -> int:
    """How many files `draw_run` writes at most."""
    of_run = sum(plot.of == "run" for plot in plots())
    return of_run + (len(plots()) - of_run) * len(run.result["groups"])


def _draw(
    store: Store,
    run: RunRecord,
    groups: Sequence[Group],
    folder: Path,
    ending: str,
    *,
    with_run: bool,
) -> Iterator[Path]:
    from reports.material import material
    from reports.style import drawing, write

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder} cannot be a folder: a file is in its way.") from None
    facts = material(store, run, groups) if groups else None
    subjects = [(run.id, "run", Subject(run))] if with_run else []
    for group in groups:
        accounts = [member["account"] for member in group["members"]]
        ours = facts.of(accounts) if facts else None
        subjects.append((group["id"], "group", Subject(run, group, ours)))
    for name, of, subject in subjects:
        for plot in plots():
            if plot.of != of:
                continue
            with drawing():
                figure = plot.draw(subject)
                if figure is None:
                    continue
                path = folder / f"{name}-{plot.name}.{ending}"
                write(figure, path)
            yield path
