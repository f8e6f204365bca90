"""The seven kinds of fact, as every store keeps them.

Each stored row also has `uid` (text, unique with `revision`), `revision` (1, 2, …; a
correction is a higher one) and `batch` (the load that wrote it). Accounts stand in a row
as `ix`, the store's own integer for an account id.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

AMOUNT = pl.Decimal(38, 18)
"""Exact: 20 digits before the point and 18 after."""

TIME = pl.Datetime("us", "UTC")

COMMON: dict[str, pl.DataType] = {"uid": pl.String(), "revision": pl.Int32(), "batch": pl.Int64()}

WHEN: dict[str, pl.DataType] = {"at": TIME, "step": pl.Int64()}
"""`at` is a date and time, `step` a plain order without dates; at most one is not null."""

ROLES = ("issuer", "treasury", "custodian", "exchange", "merchant", "payroll", "person")
VERDICTS = ("same_owner", "unrelated")


@dataclass(frozen=True)
class FactKind:
    """One kind of fact.

    `accounts` names the columns that hold an account (int64 ix when stored, text ids in a
    file); `columns` gives every stored column besides `COMMON`, accounts first.
    """

    name: str
    accounts: tuple[str, ...]
    columns: dict[str, pl.DataType]

    @property
    def stored(self) -> dict[str, pl.DataType]:
        """All stored columns in order: `COMMON`, then the kind's own."""
        return {**COMMON, **self.columns}


_IX = pl.Int64()
_TEXT = pl.String()

KINDS: dict[str, FactKind] = {
    kind.name: kind
    for kind in (
        FactKind(
            "transfers",
            ("src", "dst"),
            {"src": _IX, "dst": _IX, "amount": AMOUNT, **WHEN, "kind": _TEXT},
        ),
        FactKind(
            "referrals",
            ("referrer", "referred"),
            {"referrer": _IX, "referred": _IX, **WHEN},
        ),
        FactKind(
            "sightings",
            ("account",),
            {"account": _IX, "identifier_kind": _TEXT, "digest": _TEXT, **WHEN},
        ),
        FactKind(
            "purchases",
            ("account",),
            {"account": _IX, "amount": AMOUNT, **WHEN, "receipt": _TEXT},
        ),
        FactKind("holdings", ("account",), {"account": _IX, "amount": AMOUNT, **WHEN}),
        FactKind(
            "accounts",
            ("account",),
            {"account": _IX, "opened_at": TIME, "role": _TEXT, "valid_from": TIME},
        ),
        FactKind(
            "links",
            ("a", "b"),
            {
                "a": _IX,
                "b": _IX,
                "verdict": _TEXT,
                "by": _TEXT,
                "why": _TEXT,
                "valid_from": TIME,
                "valid_until": TIME,
            },
        ),
    )
}
