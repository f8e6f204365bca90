"""What the stages of a refresh share: the store, who acts, and the refresh as it is recorded."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.errors import UserError
from graph.log import Actor, Desk, Doc
from graph.store import Store
from inconcert.refresh.journal import Journal
from inconcert.refresh.settings import RefreshSettings
from inconcert.reviewing import Queue
from inconcert.settings import Settings
from review import refreshes

if TYPE_CHECKING:
    from detectors.meetings import Meetings
    from loaders.feeds import Delivery, Feed, Mark

Tell = Callable[[str], None]


@dataclass
class Work:
    """A refresh under way. `tell`: hears how far it is; `show`: shows a remark to who looks on;
    `still_mine`: raises where another one took over."""

    queue: Queue
    settings: Settings
    feeds: list[Feed]
    journal: Journal
    tell: Tell
    show: Tell
    still_mine: Callable[[], None]
    refresh: Doc = field(default_factory=dict)
    waiting: list[Delivery] = field(default_factory=list)
    """What is to be loaded; the load stage takes it from here."""
    undelivered: int = 0
    """Orders that could not be delivered when that was tried last."""
    met: Meetings | None = None
    """Who meets whom, where this process has detected: a score needs it, and it is costly."""

    @property
    def store(self) -> Store:
        """The store."""
        return self.queue.store

    @property
    def options(self) -> RefreshSettings:
        """The settings of the refresh."""
        return self.settings.refresh

    @property
    def number(self) -> int:
        """The refresh's number."""
        return int(self.refresh["number"])

    @property
    def nightly(self) -> bool:
        """Whether it is the night's."""
        return bool(self.refresh["sort"] == refreshes.NIGHTLY)

    @property
    def folder(self) -> Path:
        """Where it keeps what it is at."""
        return self.options.work_folder(self.store)

    @property
    def actor(self) -> Actor:
        """Who refreshes. RefusedError where somebody may not."""
        return self.queue.person.acting("refresh", "log", "operator", "senior", "investigator")

    def out(self, stage: str) -> Doc:
        """What came out of a stage that is done."""
        found: Doc = self.refresh["stages"][stage]["out"]
        return found

    def record(self, action: str, facts: Doc, words: str | None = None) -> None:
        """Record what happened to the refresh."""
        self.still_mine()
        actor = self.actor

        def work(desk: Desk) -> Doc:
            return refreshes.record(desk, actor, self.refresh, action, facts, words)

        self.refresh = self.queue.act(work)
        self.journal.say(action, refresh=self.number, **facts)

    def note(self, feed: str, sentence: str) -> None:
        """A remark on what a feed brought: for the journal, and for who looks on."""
        self.journal.say("note", refresh=self.number, feed=feed, sentence=sentence)
        self.show(sentence)

    def deliveries(self) -> list[Doc]:
        """What was ever taken from feeds, oldest first: of years, so do not ask twice."""
        every = self.store.log.views(refreshes.DELIVERY).values()
        return sorted(every, key=lambda one: one["batch"])

    def fetch(self) -> None:
        """Ask every feed what is not loaded yet. UserError where there is none, but was."""
        staging = self.folder / "staging"
        staging.mkdir(mode=0o700, exist_ok=True)
        self.waiting = []
        marks: dict[str, list[Mark]] = {feed.name: [] for feed in self.feeds}
        taken = self.deliveries()
        if taken and not self.feeds:
            raise UserError(
                f"No feed is set, but this store was fed by "
                f"{', '.join(sorted({one['feed'] for one in taken}))}.",
                f"Run it where inconcert.toml is; this is {Path.cwd()}.",
            )
        for one in taken:
            marks.setdefault(one["feed"], []).append(one["mark"])
        for feed in self.feeds:
            self.tell(f"looking at {feed.name}")
            self.waiting += feed.fetch(marks[feed.name], staging, self.tell)

    def clear(self) -> None:
        """Take away what the refresh kept while it was at it."""
        shutil.rmtree(self.folder / "staging", ignore_errors=True)
        for old in self.folder.glob("outcome-*"):
            old.unlink(missing_ok=True)


def settings_sha256(settings: Any) -> str:
    """The digest of settings (a pydantic model): the same for the same."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
