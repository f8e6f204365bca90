"""Feeds: where facts arrive at regularly. One file a sort, found by registration.

A file here that defines `KEY`, `SETTINGS` and `FEED` is a sort of feed: a `[[feed]]` table
of `inconcert.toml` that has the key is of that sort. `SETTINGS` is its model (of
`FeedSettings`), and `FEED(settings)` a `Feed`. What these files import on top is light: the
settings are read by commands that fetch nothing.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Tag

from loaders.feeds.feed import Delivery, Feed, FeedSettings, Mark, refuse_changed

__all__ = [
    "AnyFeedSettings",
    "Delivery",
    "Feed",
    "FeedSettings",
    "Mark",
    "feeds",
    "refuse_changed",
]


@functools.cache
def _sorts() -> dict[str, ModuleType]:
    """The files of this package that are a sort of feed, by the key that tells it."""
    modules = (
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    )
    return {module.KEY: module for module in modules if hasattr(module, "KEY")}


def _sort(given: Any) -> str | None:
    """The key of a table's sort; None when it has none, or several."""
    keys = given if isinstance(given, dict) else type(given).model_fields
    found = [key for key in _sorts() if key in keys]
    return found[0] if len(found) == 1 else None


if TYPE_CHECKING:
    AnyFeedSettings = FeedSettings
else:
    AnyFeedSettings = Annotated[
        Union[tuple(Annotated[sort.SETTINGS, Tag(key)] for key, sort in _sorts().items())],  # noqa: UP007 (of a tuple)
        Discriminator(
            _sort,
            custom_error_type="sort_of_feed",
            custom_error_message=f"a feed says one of {' and '.join(_sorts())}",
        ),
    ]
"""The settings of a feed of any sort, as pydantic reads them."""


def feeds(settings: Iterable[FeedSettings]) -> list[Feed]:
    """The feeds of these settings, in their order."""
    by_model = {sort.SETTINGS: sort.FEED for sort in _sorts().values()}
    return [by_model[type(one)](one) for one in settings]
