"""Composes the settings of the rooms: `inconcert.toml`, over it the environment.

Each room declares its own model; here they get one file. Unknown names are refused, so
that a misspelt setting is not silently without effect.
"""

from __future__ import annotations

import functools
import tomllib

from pydantic import BaseModel, ConfigDict, ValidationError

from detectors.settings import DetectionSettings
from graph.errors import UserError
from inconcert.manners import SETTINGS_FILE


class Settings(BaseModel):
    """`inconcert.toml`: `store = "URL"`, and a table for each room's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: str | None = None
    detection: DetectionSettings = DetectionSettings()


@functools.cache
def settings() -> Settings:
    """The settings in force here. UserError when `inconcert.toml` is wrong."""
    if not SETTINGS_FILE.exists():
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(SETTINGS_FILE.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"inconcert.toml is not valid TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"inconcert.toml: {where}: {first['msg']}.") from None
