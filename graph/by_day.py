"""What accounts held at the end of each day, all days in one pass.

At the end of a day (in a time zone) an account holds what `graph.snapshot` would say of the
last moment of that day, by the same rules. Facts without a time always hold: they count from
the first day on. Where holdings rest on transfers that are archived, days are told from the
horizon on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from graph.amount import summed, total
from graph.archive import ADDING_UP, BACK, horizon
from graph.clock import now
from graph.digest import mask
from graph.errors import ArchivedError, UserError
from graph.schema import AMOUNT
from graph.snapshot import LARGEST_SUM, ZERO_ADDRESS, moment_of
from graph.store import Store, SupplyEntry, visible_batches

ROWS_A_PART = 20_000_000
"""Of more facts than this so many are taken at once, by account: a part is held in memory."""

ROWS_KEPT = 40_000_000
"""Up to so many changes are kept (28 bytes each), so that the facts are read only once."""

BEFORE_ALL = -(2**62)
"""The time of a fact without one, in microseconds."""

ZERO = pl.lit(Decimal(0), dtype=AMOUNT)
_SUM = pl.col("amount").sum()


@dataclass(frozen=True)
class ByDay:
    """Holdings by day of a store's facts as known at a batch. Get one by `by_day`."""

    store: Store
    zone: ZoneInfo
    known_at: int
    until: date | None
    """Facts of later days do not count."""
    horizon: date | None = None
    """The first day that can be told, where earlier ones rest on archived transfers."""
    _parts: list[pl.DataFrame] = field(default_factory=list)
    """The changes of all accounts, once they were asked for and where they can be kept."""

    @cached_property
    def rule(self) -> str:
        """How holdings come about: stated, rolled or replayed."""
        return self.store.properties.holdings_rule

    def changes(self, accounts: Sequence[int] | None = None) -> pl.DataFrame:
        """Each change of these accounts (ix; None: all, which may be many): `ix`, `day`,
        `amount` held from the end of that day on; by account, then day. Who is left out of
        the base holds 0."""
        if accounts is None:
            return pl.concat(list(self.parts())).sort("ix", "day")
        chosen = pl.col("ix").is_in(list(accounts))
        if self._parts:
            found = pl.concat([part.filter(chosen) for part in self._parts])
            return found.sort("ix", "day")
        return self._changes(chosen)

    def parts(self) -> Iterator[pl.DataFrame]:
        """The changes of all accounts, as `changes` gives them, some accounts at a time."""
        if self._parts:
            yield from self._parts
            return
        number = -(-self._rows // ROWS_A_PART) or 1
        kept: list[pl.DataFrame] | None = []
        for part in range(number):
            found = self._changes(pl.col("ix") % number == part if number > 1 else pl.lit(True))
            if kept is not None:
                kept.append(found)
            if kept is not None and sum(map(len, kept)) > ROWS_KEPT:
                kept = None
            yield found
        self._parts.extend(kept or ())

    @cached_property
    def first_day(self) -> date:
        """The first day that is told. UserError where no fact that says what is held has a time."""
        return max(self._first_fact, self.horizon or date.min)

    @cached_property
    def _first_fact(self) -> date:
        """The day of the first fact that says what is held, or the horizon. UserError where there
        is neither."""
        kinds = {"stated": ("holdings",), "replayed": ("transfers",)}
        days = [self._facts(kind) for kind in kinds.get(self.rule, ("holdings", "transfers"))]
        first = pl.concat([facts.select(pl.col("day").min()) for facts in (*days, self._carried())])
        found = first.select(pl.col("day").min()).collect(engine="streaming").item()
        if found is None and self.horizon:  # what is archived moved nothing
            return self.horizon
        if found is None:
            until = f" up to {self.until}" if self.until else ""
            raise UserError(
                f"No fact of this store with a time says what accounts hold{until}: there is "
                "no history."
            )
        return date.fromisoformat(str(found))

    @cached_property
    def counted(self) -> pl.DataFrame:
        """The sum of all that is held: `day`, `amount`, a row for each day with a change of
        any account. UserError for sums over 38 digits."""
        return added_up(self.parts())

    @cached_property
    def base(self) -> pl.DataFrame:
        """The base by the days from which it was in force: `day`, `amount`, `base` (set or
        counted). Before the first day there is none."""
        entries = self._supplies()
        first_set = entries[0][0] if entries else None
        rows: list[tuple[date, Decimal, Literal["set", "counted"]]] = []
        if first_set is None or first_set > self.first_day:
            rows += [
                (day, amount, "counted")
                for day, amount in self.counted.iter_rows()
                if first_set is None or day < first_set
            ]
        rows += [(day, entry.amount, "set") for day, entry in entries]
        schema = {"day": pl.Date(), "amount": AMOUNT, "base": pl.String()}
        return pl.DataFrame(rows, schema, orient="row")

    def _supplies(self) -> list[tuple[date, SupplyEntry]]:
        """The supplies by the day at whose end each was in force, ascending; none that has yet to
        take effect."""
        entries = sorted(
            self.store.supplies(self.known_at), key=lambda one: (one.valid_from, one.batch)
        )
        by_day = {one.valid_from.astimezone(self.zone).date(): one for one in entries}
        last = min(self.until or date.max, self._last_day)
        return [(day, one) for day, one in by_day.items() if day <= last]

    @cached_property
    def _last_day(self) -> date:
        """Today, or the day of the latest fact where that is later."""
        latest, _ = moment_of(self.store, None, self.known_at)
        return max(latest, now()).astimezone(self.zone).date()

    @cached_property
    def _rows(self) -> int:
        """About how many rows say what is held."""
        counts = self.store.fact_counts()
        stated = counts.get("holdings", 0) if self.rule != "replayed" else 0
        return stated + (2 * counts.get("transfers", 0) if self.rule != "stated" else 0)

    @cached_property
    def _completes(self) -> list[datetime]:
        """When holdings were stated completely, ascending: each ends all earlier statements."""
        found = {
            moment
            for batch in visible_batches(self.store.batches(), self.known_at)
            for moment in batch.complete_at
        }
        return sorted(
            one
            for one in found
            if self.until is None or one.astimezone(self.zone).date() <= self.until
        )

    def _facts(self, kind: str) -> pl.LazyFrame:
        """Facts of a kind, with `day`: null where they have no time."""
        found = self._with_day(self.store.facts(kind, self.known_at))
        if self.until is None:
            return found
        return found.filter(pl.col("day").is_null() | (pl.col("day") <= self.until))

    def _carried(self) -> pl.LazyFrame:
        """What archived transfers moved: `at`, `day`, `ix`, `amount`."""
        rows = self._with_day(self.store.carried())
        return rows.select("at", "day", ix="account", amount="amount")

    def _with_day(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.with_columns(day=pl.col("at").dt.convert_time_zone(self.zone.key).dt.date())

    def _changes(self, chosen: pl.Expr) -> pl.DataFrame:
        ours = chosen & ~pl.col("ix").is_in(self._never_counted)
        held = self._replayed(ours) if self.rule == "replayed" else self._stated(ours)
        held = self._told(self._without_issuers(held))
        same = pl.col("ix") == pl.col("ix").shift(1)
        clipped = held.with_columns(amount=pl.max_horizontal("amount", ZERO))
        before = pl.when(same).then(pl.col("amount").shift(1)).otherwise(ZERO).fill_null(ZERO)
        return clipped.filter(pl.col("amount") != before).select("ix", "day", "amount")

    def _told(self, held: pl.DataFrame) -> pl.DataFrame:
        """From the horizon on: what was held by then is of its day."""
        if self.horizon is None:
            return held
        days = held.with_columns(pl.max_horizontal("day", pl.lit(self.horizon)))
        return days.unique(["ix", "day"], keep="last", maintain_order=True)

    def _sides(self) -> pl.LazyFrame:
        """What came to accounts and, below 0, left them."""
        moved = self._facts("transfers").filter(pl.col("src") != pl.col("dst"))
        return pl.concat(
            [
                moved.select("at", "day", ix="src", amount=-pl.col("amount")),
                moved.select("at", "day", ix="dst", amount="amount"),
                self._carried(),
            ]
        )

    def _replayed(self, ours: pl.Expr) -> pl.DataFrame:
        daily = summed(
            self._sides()
            .filter(ours)
            .group_by("ix", pl.col("day").fill_null(self._first_fact))
            .agg(pl.col("amount").sum())
        )
        return daily.sort("ix", "day").with_columns(pl.col("amount").cum_sum().over("ix"))

    def _stated(self, ours: pl.Expr) -> pl.DataFrame:
        """By statements; where they are rolled on, with the net transfers since."""
        events = self._with_era(
            self._facts("holdings")
            .rename({"account": "ix"})
            .filter(ours)
            .select("ix", "at", "day", "step", "amount", stated=pl.lit(True))
        )
        order = ("ix", "at", "stated", "step", "amount")
        if self.rule == "rolled":
            events = pl.concat([events, self._since(ours)])
        # at one time the larger statement counts, and a statement knows of all transfers by then
        rows = events.sort(*order, nulls_last=False).collect(engine="streaming")
        if self.rule == "rolled":
            segment = pl.col("stated").cum_sum().over("ix", "era")
            rows = rows.with_columns(segment=segment).with_columns(
                pl.col("amount").cum_sum().over("ix", "era", "segment")
            )
        last = (pl.col("ix") != pl.col("ix").shift(-1)) | (pl.col("day") != pl.col("day").shift(-1))
        return self._ended(rows.filter(last.fill_null(True)).select("ix", "day", "era", "amount"))

    def _since(self, ours: pl.Expr) -> pl.LazyFrame:
        """Transfers that count: those after the first statement of their era."""
        first = (
            self._with_era(self._facts("holdings").select("at", "day", "amount"))
            .filter(pl.col("at") > BEFORE_ALL)
            .group_by("era")
            .agg(first=pl.col("at").min())
        )
        dated = self._sides().filter(ours & pl.col("at").is_not_null())
        return (
            self._with_era(dated)
            .join(first, on="era")
            .filter(pl.col("at") > pl.col("first"))
            .select(
                "ix",
                "at",
                "day",
                pl.lit(None, pl.Int64).alias("step"),
                "amount",
                pl.lit(False).alias("stated"),
                "era",
            )
        )

    def _with_era(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """With times in microseconds, and by how many complete statements they were preceded."""
        times = pl.Series([_microseconds(one) for one in self._completes], dtype=pl.Int64())
        at = pl.col("at").dt.epoch("us").fill_null(BEFORE_ALL)
        era = pl.lit(times).search_sorted(at, side="right") if len(times) else pl.lit(0)
        return rows.with_columns(
            at=at, day=pl.col("day").fill_null(self._first_fact), era=era.cast(pl.Int64)
        )

    def _ended(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Whom a complete statement does not list holds 0 from that day on."""
        days = [one.astimezone(self.zone).date() for one in self._completes]
        ends = pl.Series([*days, None], dtype=pl.Date())
        ended = rows.with_columns(
            end=ends.gather(rows["era"]),
            next=pl.when(pl.col("ix") == pl.col("ix").shift(-1)).then(pl.col("day").shift(-1)),
        )
        over = (pl.col("end") <= pl.col("day")).fill_null(False)
        left = ended.filter(
            (pl.col("end") > pl.col("day"))
            & (pl.col("next").is_null() | (pl.col("end") < pl.col("next")))
        )
        kept = ended.with_columns(amount=pl.when(over).then(ZERO).otherwise(pl.col("amount")))
        zero = left.select("ix", day="end", amount=ZERO)
        return pl.concat([kept.select("ix", "day", "amount"), zero]).sort("ix", "day")

    @cached_property
    def _never_counted(self) -> list[int]:
        """The ix of those who issue by the store's own word."""
        own = self.store.properties
        nobody = mask(ZERO_ADDRESS, self.store.key) if own.masked else ZERO_ADDRESS
        named = pl.col("account").is_in([*own.issuers, nobody])
        return self.store.accounts().filter(named).collect()["ix"].to_list()

    @cached_property
    def _issuing(self) -> pl.DataFrame:
        """Of accounts that some fact calls an issuer: `ix`, `day`, `issues` from then on."""
        roles = (
            self.store.facts("accounts", self.known_at)
            .select(ix="account", role="role", begin="valid_from", opened="opened_at")
            .filter((pl.col("role") == "issuer").any().over("ix"))
            .sort("ix", "begin", "role", "opened", nulls_last=False)
            .filter(pl.col("role").is_not_null())
            .select(
                "ix",
                day=pl.col("begin").dt.convert_time_zone(self.zone.key).dt.date(),
                issues=pl.col("role") == "issuer",
            )
            .collect()
        )
        # without a time: always, so before any day there is
        always = roles.with_columns(pl.col("day").fill_null(date.min))
        return always.unique(["ix", "day"], keep="last", maintain_order=True)

    def _without_issuers(self, held: pl.DataFrame) -> pl.DataFrame:
        """Who issues holds 0 as long as it does."""
        roles = self._issuing
        ever = held["ix"].is_in(roles["ix"].unique().to_list())
        if not ever.any():
            return held
        theirs = held.filter(ever)
        both = (
            pl.concat(
                [
                    theirs.with_columns(issues=pl.lit(None, pl.Boolean)),
                    roles.filter(pl.col("ix").is_in(theirs["ix"].unique().to_list())).select(
                        "ix", "day", pl.lit(None, AMOUNT).alias("amount"), "issues"
                    ),
                ]
            )
            .sort("ix", "day")
            .with_columns(pl.col("amount", "issues").forward_fill().over("ix"))
            .unique(["ix", "day"], keep="last", maintain_order=True)
            .filter(pl.col("amount").is_not_null())
        )
        counted = both.with_columns(amount=pl.when("issues").then(ZERO).otherwise(pl.col("amount")))
        return pl.concat([held.filter(~ever), counted.select("ix", "day", "amount")]).sort(
            "ix", "day"
        )


def first_told(store: Store, zone: ZoneInfo) -> date | None:
    """The first day that can be told where earlier ones rest on archived transfers, else None."""
    edge = horizon(store.archived()) if store.properties.holdings_rule in ADDING_UP else None
    return edge and edge.astimezone(zone).date()


def by_day(
    store: Store,
    zone: ZoneInfo,
    known_at: int | None = None,
    until: date | None = None,
    since: date | None = None,
) -> ByDay:
    """Holdings by day, in a time zone. `known_at`: as of `graph.snapshot.holdings_as_of`;
    `until`: the last day that counts; `since`: the first that is asked for. Raises UserError for an
    unknown batch, ArchivedError where a day is asked for that rests on archived transfers."""
    first = first_told(store, zone)
    if first and min(since or first, until or first) < first:
        raise ArchivedError(
            f"Days before {first} cannot be told: transfers that holdings rest on are archived.",
            BACK,
        )
    return ByDay(store, zone, moment_of(store, None, known_at)[1], until, first)


def added_up(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """What accounts hold together: `day`, `amount`, a row for each day with a change of any of
    them, ascending. `parts`: changes as `ByDay.changes` gives them, all of an account in one.
    UserError for sums over 38 digits."""
    before = pl.when(pl.col("ix") == pl.col("ix").shift(1)).then(pl.col("amount").shift(1))
    more = pl.col("amount") - before.otherwise(ZERO).fill_null(ZERO)
    daily = summed(
        pl.concat(
            [
                summed(part.select("day", amount=more).lazy().group_by("day").agg(_SUM))
                for part in parts
            ]
        )
        .lazy()
        .group_by("day")
        .agg(_SUM)
        .sort("day")
    )
    held, sums = Decimal(0), []
    for amount in daily["amount"]:
        held = total((held, amount))
        if held > LARGEST_SUM:
            raise _too_much()
        sums.append(held)
    return pl.DataFrame(
        {"day": daily["day"], "amount": sums}, schema={"day": pl.Date(), "amount": AMOUNT}
    )


def in_force(days: Sequence[date], day: date) -> int | None:
    """The place of the last of some days (ascending) that is not after `day`; None: there is
    none."""
    place = bisect_right(days, day) - 1
    return place if place >= 0 else None


def _microseconds(moment: datetime) -> int:
    return int(pl.Series([moment]).dt.epoch("us").item())


def _too_much() -> UserError:
    return UserError(
        "The holdings add up to more than 20 digits before the point.",
        "Load them with --shift to move the point.",
    )
