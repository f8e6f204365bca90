"""Can inconcert.toml be read, and are the things there that it names?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from graph.errors import UserError
from inconcert.doctor import Finding, Site, ok, problem, warning
from inconcert.manners import SETTINGS_FILE
from loaders.feeds.sql import SqlSettings
from loaders.feeds.sqlite import Sqlite


def look(site: Site) -> Iterator[Finding]:
    """The file, the feeds' folders, the webhook's key, the roles, where things are written."""
    settings = site.settings
    if not SETTINGS_FILE.exists():
        yield ok(f"There is no {SETTINGS_FILE} here ({Path.cwd()}): all is as built in.")
        return
    yield ok(f"{SETTINGS_FILE.absolute()} is valid.")
    yield from _feeds(site)
    yield from _webhook(site)
    yield from _roles(site)
    for path in (settings.refresh.log, settings.refresh.metrics):
        if path and path.is_dir():
            yield problem(f"{path} is a folder, not a file to be written.", "Name a file in it.")
        elif path and not _writable(path):
            yield problem(
                f"{path} cannot be written by this user.", "Make its folder, or change its owner."
            )


def _feeds(site: Site) -> Iterator[Finding]:
    feeds = site.settings.feed
    for feed in feeds:
        folder = getattr(feed, "folder", None)
        if folder and not Path(folder).is_dir():
            yield problem(
                f"Feed '{feed.name}': there is no folder '{folder}'.", "Every refresh stops there."
            )
        elif folder and not os.access(folder, os.R_OK | os.X_OK):
            yield problem(f"Feed '{feed.name}': '{folder}' cannot be read by this user.")
        elif isinstance(feed, SqlSettings) and (missing := _missing(feed)):
            yield problem(f"Feed '{feed.name}': {missing}", "Every refresh stops there.")
    if not feeds:
        yield ok("No feed is set: a refresh takes in nothing.")
    else:
        yield ok(f"Feeds: {', '.join(feed.name for feed in feeds)}.")


def _missing(feed: SqlSettings) -> str | None:
    """What a database cannot be asked without, as a sentence; the database itself is not asked."""
    try:
        opened = feed.opened()
    except UserError as error:
        return f"{error.sentence[0].lower()}{error.sentence[1:]}"
    if isinstance(opened, Sqlite) and not opened.path.is_file():
        return f"there is no SQLite file '{opened.path}'."
    return None


def _webhook(site: Site) -> Iterator[Finding]:
    review = site.settings.review
    if review.webhook is None:
        return
    key = review.webhook_key_file
    if key is None:
        yield problem("A webhook is set and no webhook_key_file.", "Orders are signed with it.")
    elif not os.access(key, os.R_OK):
        yield problem(f"The webhook's key {key} cannot be read.", "No order is sent without it.")
    elif key.stat().st_mode & 0o077:
        yield problem(f"The webhook's key {key} may be read by others.", f"chmod 600 {key}")
    else:
        yield ok(f"Orders go to {review.webhook}.")


def _roles(site: Site) -> Iterator[Finding]:
    from graph.who import user

    review = site.settings.review
    if not review.roles:
        yield warning(
            "No roles are set: everybody is investigator and senior.", "Set [review.roles]."
        )
        return
    if not review.roles.get("operator"):
        yield warning(
            "Roles are set, and nobody is operator.",
            "Answers to orders, erasing and acting for others need one.",
        )
    if not review.roles_of(user()):
        yield warning(f"{user()} has no role.", "A refresh of this user would be refused.")


def _writable(path: Path) -> bool:
    path = path.absolute()
    there = next(one for one in (path, *path.parents) if one.exists())
    return os.access(there, os.W_OK)
