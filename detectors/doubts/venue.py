"""Venue: one office, school, cafe or network."""

from __future__ import annotations

import polars as pl

from detectors.doubts.case import MARKS, Case, Doubt
from detectors.identifier import PUBLIC_KINDS

MOST_VENUES = 4
"""Members of so many lines or addresses together may be of one place."""

FEWEST_AT_VENUE = 3


class Venue:
    """Most members go to one place, or share nothing but lines and addresses."""

    name = "venue"
    likeness = MARKS
    explains = ("clique", "identifier")
    help = (
        "People of one office, school or house come to know each other and use one line. It "
        "does not bring about shared devices, cards or phones. Who sat where when, only the "
        "place can tell."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where a few public values take in most members, or where the shared
        identifiers are of public kinds alone."""
        return self._public(case) or self._lines_only(case)

    def _public(self, case: Case) -> Doubt | None:
        public = case.seen.filter(~pl.col("counts") & (pl.col("holders") > 1))
        places = (
            public.group_by("identifier_kind", "value")
            .agg(members=pl.len(), holders=pl.col("holders").first())
            .filter(pl.col("members") >= max(FEWEST_AT_VENUE, case.size / (4 * MOST_VENUES)))
            .sort(["members", "holders", "value"], descending=[True, False, False])
            .head(MOST_VENUES)
        )
        there = public.join(places, on="value", how="semi")["account"].n_unique()
        holders = int(places["holders"].sum())
        if not case.most(there) or not case.rare(there, holders):
            return None
        kinds = " and ".join(sorted(set(places["identifier_kind"])))
        said = f"one {kinds}" if len(places) == 1 else f"{len(places)} values ({kinds})"
        return case.doubt(
            self.name,
            f"{there} of the {case.size} members were seen at {said} that "
            f"{holders} accounts use: they may know each other from one office or school.",
            "Whose line or address it is, and what the members have to do with that place.",
            self.explains,
        )

    def _lines_only(self, case: Case) -> Doubt | None:
        if case.bits.get("identifier", 0.0) <= 0:
            return None
        shared = (
            case.seen.filter("counts")
            .group_by("identifier_kind", "value")
            .agg(members=pl.len())
            .filter(pl.col("members") > 1)
        )
        sharing = case.seen.join(shared, on="value", how="semi")["account"].n_unique()
        public = shared["identifier_kind"].is_in(PUBLIC_KINDS).all()
        if not case.most(sharing) or not public:
            return None
        kinds = " and ".join(sorted(set(shared["identifier_kind"])))
        return case.doubt(
            self.name,
            f"The identifiers that members share are all of one sort ({kinds}): neighbours, "
            "guests and colleagues share these as well.",
            "Whose lines or addresses they are, and which devices were used there.",
            ("identifier",),
        )


EXPLANATION = Venue()
