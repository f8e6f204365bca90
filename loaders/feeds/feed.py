"""What a feed is: a place that facts arrive at regularly, asked for what is not loaded yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from graph.clock import parse_time
from graph.errors import UserError
from loaders.fields import Source
from loaders.kinds import sources
from loaders.mapping import parse_map
from loaders.stamps import Stamp, sha256

if TYPE_CHECKING:
    from loaders.plan import Options

Mark = dict[str, Any]
"""What a delivery was, as JSON: kept by who loads it, shown to the feed the next time."""

Tell = Callable[[str], None]

_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"


@dataclass(frozen=True)
class Delivery:
    """What a feed has to be loaded as one batch."""

    feed: str
    """The feed's name in the settings."""
    kind: str
    paths: tuple[str, ...]
    options: Options
    input_format: str | None
    rows: int | None
    """Where known without parsing."""
    mark: Mark


class Feed(Protocol):
    """A place that facts of one kind arrive at."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    @property
    def kind(self) -> str:
        """The kind of fact that it brings."""

    def fetch(self, taken: Sequence[Mark], staging: Path, tell: Tell) -> list[Delivery]:
        """What was not loaded yet, oldest first.

        `taken`: the marks of this feed's deliveries that were loaded, oldest first. Writes
        into `staging` alone, and deletes and moves nothing outside of it. `tell` hears what
        is left for later and why. Raises UserError when the place cannot be read.
        """


class FeedSettings(BaseModel):
    """What every `[[feed]]` table says: its name, the kind of fact, and how to load it.

    The options of the load have the names that they have on the command line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=_NAME)]
    kind: str
    map: tuple[str, ...] = ()
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    distinct: bool = False
    correct: bool = False
    lower: bool = False
    shift: Annotated[int, Field(ge=0, le=38)] = 0
    time_unit: Literal["s", "ms", "us", "step"] | None = None
    at: datetime | None = None
    complete: bool = False

    @field_validator("kind")
    @classmethod
    def _a_kind(cls, kind: str) -> str:
        if kind not in sources():
            raise ValueError(f"there is no kind of fact '{kind}'; it is one of {_list(sources())}")
        return kind

    @field_validator("map", mode="before")
    @classmethod
    def _one_text(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @field_validator("at", mode="before")
    @classmethod
    def _in_utc(cls, given: Any) -> Any:
        """A text as the command line takes it, or a time of TOML."""
        try:
            return None if given is None else parse_time(str(given))
        except UserError as error:
            raise ValueError(error.sentence.rstrip(".")) from None

    @model_validator(mode="after")
    def _fits_the_kind(self) -> FeedSettings:
        try:
            parse_map(self.map, self.facts)
        except UserError as error:
            hint = f" ({error.hint.rstrip('.')})" if error.hint else ""
            raise ValueError(f"map: {error.sentence.rstrip('.')}{hint}") from None
        if (self.at or self.complete) and not self.facts.states:
            word = "at" if self.at else "complete"
            raise ValueError(f"{word} is for holdings; {self.kind} have times of their own")
        return self

    @property
    def facts(self) -> Source:
        """How its kind of fact is declared."""
        return sources()[self.kind]

    def options(self) -> Options:
        """The options of the load."""
        from loaders.plan import Options

        return Options(
            map=self.map,
            source=self.source,
            distinct=self.distinct,
            correct=self.correct,
            lower=self.lower,
            shift=self.shift,
            time_unit=self.time_unit,
            at=self.at.astimezone(UTC) if self.at else None,
            complete=self.complete,
        )


def refuse_changed(delivery: Delivery) -> None:
    """For `before_commit` of a load: UserError unless its files are, byte for byte, what its mark
    says."""
    for path, mark in zip(delivery.paths, delivery.mark["files"], strict=True):
        same = Path(path).exists() and Stamp.of(Path(path)).is_of(mark)
        if not same or sha256(Path(path)) != mark["sha256"]:
            raise UserError(
                f"'{path}' changed since feed '{delivery.feed}' found it; nothing was loaded.",
                "It is taken once it is complete.",
            )


def _list(words: Any) -> str:
    return ", ".join(words)
