"""Settings of the refresh: `[refresh]` in `inconcert.toml`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from graph.store import is_server

if TYPE_CHECKING:
    from graph.store import Store


def _said(place: object) -> object:
    """An empty text would be the folder that the command runs in."""
    if place == "":
        raise ValueError("is empty; leave it out where nothing is meant")
    return place


Place = Annotated[Path, BeforeValidator(_said)]
Part = Annotated[float, Field(ge=0, le=1)]
Hours = Annotated[float, Field(gt=0)]


class AlarmSettings(BaseModel):
    """From where on something is so unlikely that a person looks at it before anything follows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shrunk: Part = 0.5
    """A feed brought less than this part of the rows that it usually brings in a night."""
    statement: Part = 0.8
    """A complete statement of holdings lists less than this part of the one before it."""
    stale_hours: Hours = 36
    """A feed that came regularly brought nothing for so long, and for twice as long as it ever
    did."""
    stale_hours_of: dict[str, Hours] = {}
    """The same for feeds with a rhythm of their own, by name."""
    supply: Part = 0.1
    """The base changed by more than this part of it."""
    merged: Part = 0.03
    """Two groups that held this much each became one."""
    share: Part = 0.2
    """A group that held less holds this much."""
    quarantined: Part = 0.01
    """More than this part of a feed's rows were refused."""
    evidence: Annotated[float, Field(gt=1)] = 2.0
    """A family says so many times as much as the last time."""
    least_pairs: Annotated[StrictInt, Field(ge=1)] = 100
    """A family that ties fewer pairs than this now may say what it will."""


class RefreshSettings(BaseModel):
    """How `inconcert refresh` works, beside its feeds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[StrictInt, Field(ge=0)] = 0
    permutations: Annotated[StrictInt, Field(ge=0, le=100_000)] = 99
    keep_runs: Annotated[StrictInt, Field(ge=1)] | None = 400
    """So many of the newest runs stay whole; of older ones a summary."""
    retain_days: Annotated[StrictInt, Field(ge=1)] | None = None
    """Personal words of cases that were closed longer ago are erased."""
    archive: Place | None = None
    """Where whole months of facts go that are old enough. Not set: they stay in the store."""
    archive_after_months: Annotated[StrictInt, Field(ge=1)] = 24
    """So many whole months stay, where there is an archive."""
    folder: Place | None = None
    """Where it keeps what it is at. Default: in the store's folder; for a server, in the user's
    state folder."""
    log: Place | None = None
    """A file that gets a line of JSON for everything that happens."""
    metrics: Place | None = None
    """A file for Prometheus' textfile collector."""
    alarms: AlarmSettings = AlarmSettings()

    def work_folder(self, store: Store) -> Path:
        """Where a refresh of a store keeps what it is at; made if it is not there."""
        if self.folder:
            folder = self.folder
        elif is_server(store.url):
            state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
            folder = Path(state) / "inconcert" / store.properties.key_fingerprint
        else:
            folder = Path(store.url) / "refresh"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
