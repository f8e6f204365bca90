"""What makes a fact itself: its id, or a keyed digest of the whole row."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from graph.digest import digests
from graph.schema import KINDS
from loaders.accounts import Accounts
from loaders.amounts import canonical
from loaders.cells import text

_END = "\x1f"


class _Secrets(Protocol):
    @property
    def accounts(self) -> Accounts: ...
    @property
    def key(self) -> str: ...


def uids(
    frame: pl.DataFrame,
    extra: list[str],
    kind: str,
    source_name: str,
    secrets: _Secrets,
    secret_id: bool,
) -> pl.DataFrame:
    """Adds `uid` and `text`, drops the extra columns (which stand as `+name`).

    With an id `SOURCE:ID` (its digest where the id is made of what must stay hidden);
    without one `SOURCE#digest` of (kind, source, the row as text, 1), and `text` is what
    was digested, without the number.
    """
    named = ~frame["id"].is_null()
    ids = digests(frame["id"], secrets.key, "uid") if secret_id else frame["id"]
    by_id = pl.lit(f"{source_name}:") + ids
    if named.all():
        return frame.select(
            pl.exclude([f"+{name}" for name in extra]),
            uid=by_id,
            text=pl.lit(None, dtype=pl.String),
        )
    rows = _row_texts(frame, extra, kind, source_name, secrets.accounts)
    by_row = numbered(rows, pl.repeat(1, len(rows), eager=True), source_name, secrets.key)
    return frame.select(
        pl.exclude([f"+{name}" for name in extra]),
        uid=pl.when(named).then(by_id).otherwise(by_row),
        text=pl.when(~named).then(rows),
    )


def numbered(rows: pl.Series, n: pl.Series, source_name: str, key: str) -> pl.Series:
    """The uid of rows (as text) that are the n-th of their like in their file."""
    messages = pl.select(pl.concat_str(rows, n.cast(pl.String))).to_series()
    return pl.select(pl.lit(f"{source_name}#") + digests(messages, key, "uid")).to_series()


def _row_texts(
    frame: pl.DataFrame, extra: list[str], kind: str, source_name: str, accounts: Accounts
) -> pl.Series:
    """Each row as `name=value` parts in a fixed order, every value in canonical form.

    Empty cells leave no trace: an absent column, an empty cell and a null are the same. The
    order of columns in the file, its format and the spelling of numbers and times do not
    matter.
    """
    texts = accounts.texts()
    columns: dict[str, pl.Series | pl.Expr] = {}
    for name, dtype in KINDS[kind].columns.items():
        if name in KINDS[kind].accounts:
            columns[name] = texts.gather(frame[name])
        elif isinstance(dtype, pl.Decimal):
            columns[name] = canonical(pl.col(name))
        elif isinstance(dtype, pl.Datetime):
            columns[name] = pl.col(name).dt.epoch("us").cast(pl.String)
        else:
            columns[name] = pl.col(name).cast(pl.String)
    for name in extra:
        raw, _ = text(frame[f"+{name}"])
        # The end mark inside a value is doubled, so parts cannot be mistaken for each other.
        columns[f"+{name}"] = raw.str.replace_all(_END, _END * 2, literal=True)
    parts = [
        pl.lit(f"{name}=") + (pl.lit(value) if isinstance(value, pl.Series) else value) + _END
        for name, value in sorted(columns.items())
    ]
    head = pl.lit(f"{kind}{_END}{source_name}{_END}")
    return frame.select(text=pl.concat_str([head, *parts], ignore_nulls=True)).to_series()
