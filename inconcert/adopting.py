"""Settings of detection that a person adopts: a `[[detection]]` table more in `inconcert.toml`.

What stands in the file stays as it is, comments too; a single `[detection]` becomes the first
of several. The new table says everything itself: its version, from when it is in force, all
that the one before it set, and the weights.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from detectors.settings import DetectionSettings
from graph.clock import iso
from graph.errors import UserError
from inconcert.manners import SETTINGS_FILE
from inconcert.settings import Settings, parse

_SINGLE = re.compile(r"^([ \t]*)\[[ \t]*detection[ \t]*\]", re.MULTILINE)


def following(
    latest: DetectionSettings, weights: Mapping[str, float], effective_from: datetime
) -> DetectionSettings:
    """The settings that follow `latest`: with these weights, one version on."""
    given = {name: getattr(latest, name) for name in latest.model_fields_set}
    new = {
        "version": latest.version + 1,
        "effective_from": effective_from,
        "weights": dict(weights),
    }
    return DetectionSettings(**{**given, **new})


def table(settings: DetectionSettings, remark: str) -> str:
    """The settings as a `[[detection]]` table, with a remark above it (one line)."""
    rows = [f"# {_on_one_line(remark)}", "[[detection]]"]
    given = sorted(
        settings.model_fields_set - {"weights"}, key=list(type(settings).model_fields).index
    )
    rows += [f"{name} = {_value(getattr(settings, name))}" for name in given]
    if settings.weights:
        rows += ["", "[detection.weights]"]
        rows += [f"{family} = {weight!r}" for family, weight in sorted(settings.weights.items())]
    return "\n".join(rows) + "\n"


def _value(value: Any) -> str:
    return iso(value) if isinstance(value, datetime) else repr(value)


def _on_one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def with_table(text: str, added: str) -> str:
    """The text of `inconcert.toml` with a table more; UserError where it cannot be added so
    that everything else stays as it is."""
    before = parse(text)
    kept = text if not text or text.endswith("\n") else text + "\n"
    whole = _SINGLE.sub(r"\1[[detection]]", kept) + ("\n" if kept else "") + added
    expected = (*before.detection, *parse(added).detection)
    try:
        after = parse(whole)
    except UserError:
        after = Settings()
    if after != before.model_copy(update={"detection": expected}):
        raise UserError(
            "inconcert.toml is written so that a table of detection cannot be added to it.",
            "Put the table above into it by hand; what is there must be a [[detection]] table too.",
        )
    return whole


def write(text: str) -> None:
    """Replace `inconcert.toml` in one step; it keeps its mode."""
    place = Path(os.path.realpath(SETTINGS_FILE))
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
    handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".inconcert-", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(mode)
        Path(draft).replace(place)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
