"""Composes the settings of the rooms: `inconcert.toml`, over it the environment.

Each room declares its own model; here they get one file. Unknown names are refused, so
that a misspelt setting is not silently without effect.
"""

from __future__ import annotations

import functools
import tomllib
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from detectors.settings import DetectionSettings, check_history, in_force
from graph.errors import UserError
from inconcert.manners import SETTINGS_FILE
from inconcert.refresh.settings import RefreshSettings
from loaders.feeds import AnyFeedSettings
from review.settings import ReviewSettings

BYTE_ORDER_MARK = "\ufeff"
"""What some editors write before a text in UTF-8."""


class Settings(BaseModel):
    """`inconcert.toml`: `store = "URL"`, and a table for each room's settings.

    Those of detection may be several `[[detection]]` tables, each with the time from which
    it is in force. Each `[[feed]]` table is a place that facts arrive at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str | None = None
    detection: tuple[DetectionSettings, ...] = ()
    review: ReviewSettings = ReviewSettings()
    feed: tuple[AnyFeedSettings, ...] = ()
    refresh: RefreshSettings = RefreshSettings()

    @field_validator("detection", mode="before")
    @classmethod
    def _one_table(cls, given: Any) -> Any:
        return [given] if isinstance(given, dict) else given

    @field_validator("detection")
    @classmethod
    def _one_after_another(
        cls, history: tuple[DetectionSettings, ...]
    ) -> tuple[DetectionSettings, ...]:
        check_history(history)
        return history

    @field_validator("feed")
    @classmethod
    def _one_name_each(cls, feeds: tuple[AnyFeedSettings, ...]) -> tuple[AnyFeedSettings, ...]:
        names = [feed.name for feed in feeds]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two feeds are named '{twice}'")
        return feeds

    @model_validator(mode="after")
    def _rhythms_of_feeds(self) -> Settings:
        names = {feed.name for feed in self.feed}
        wrong = sorted(set(self.refresh.alarms.stale_hours_of) - names)
        if wrong:
            where = "refresh.alarms.stale_hours_of"
            raise ValueError(f"{where}: there is no feed '{wrong[0]}'")
        return self

    def detection_at(self, moment: datetime) -> DetectionSettings:
        """The settings of detection for facts as of a time."""
        return in_force(self.detection, moment)


@functools.cache
def settings() -> Settings:
    """The settings in force here. UserError when `inconcert.toml` is wrong."""
    if not SETTINGS_FILE.exists():
        return Settings()
    try:
        return parse(SETTINGS_FILE.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"inconcert.toml is no UTF-8 text: byte {error.start + 1} is none of a letter.",
            "Save it as UTF-8.",
        ) from None


def parse(text: str) -> Settings:
    """Settings as `inconcert.toml` says them. UserError when it is wrong."""
    try:
        return Settings.model_validate(tomllib.loads(text.removeprefix(BYTE_ORDER_MARK)))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"inconcert.toml is not valid TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(_named(part) for part in _place(first["loc"]) if part != 0)
        what = first["msg"].removeprefix("Value error, ")
        raise UserError(f"inconcert.toml: {f'{where}: ' if where else ''}{what}.") from None


def _place(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where a setting stands, without the sort of feed that pydantic names after its table."""
    return (*loc[:2], *loc[3:]) if loc[:1] == ("feed",) else loc


def _named(part: str | int) -> str:
    """A part of a setting's place; of several tables the number, the first one is 1."""
    return f"table {part + 1}" if isinstance(part, int) else part
