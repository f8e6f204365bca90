"""Whatever a file holds: every row is counted once, or one clean sentence says why not."""

from __future__ import annotations

import io
import json
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from load_helpers import refused
from long_form import examples

from graph.errors import UserError
from graph.store import Store, init_store
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import Result, load
from loaders.plan import Options

SOME = examples(
    int(os.environ.get("INCONCERT_FUZZ", "30")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PIECES = [
    "a",
    "b",
    " a",
    "0",
    "1",
    "-1",
    "1.5",
    "1e-7",
    "1e400",
    "nan",
    "inf",
    "9" * 21,
    "0." + "1" * 19,
    "2024-03-01",
    "2024-03-01T12:00:00+02:00",
    "1618603019",
    "1618603019000",
    "9999-12-31",
    "",
    " ",
    "é",
    "é",
    "\0",
    "\x01",
    "\x1f",
    "q" * 300,
    '"',
    '""',
    '"x,y"',
    '"x\ny"',
    "x\r",
    "same_owner",
    "device",
    "ip",
    "10.0.0.1",
    "::1",
    "+49 30 1",
    "𝔘",
    "\ufffd",
    "‮",
    "{",
    "\\",
]
HEADERS = {
    "transfers": ["src", "dst", "amount", "at", "kind", "id"],
    "sightings": ["account", "identifier_kind", "value", "at"],
    "holdings": ["account", "amount", "at"],
    "accounts": ["account", "opened_at", "role", "from"],
    "links": ["a", "b", "verdict", "by", "why", "from", "until"],
}


def hold(kind: str, masked: bool, name: str, content: bytes, **options: Any) -> None:
    """The law: read = loaded + known + conflicts + quarantined, or one UserError; and a
    second load changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        store = init_store(f"{folder}/store", masked=masked)
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            result = load_one(store, kind, path, options)
        except UserError as error:
            sentence_is_one_line = "\n" not in error.sentence
            assert sentence_is_one_line
            assert store.fact_counts().get(kind, 0) == 0
            return
        counts = result.counts
        assert counts.read == (counts.loaded + counts.known + counts.conflicts + counts.quarantined)
        assert len(refused(result)) == counts.conflicts + counts.quarantined
        assert store.fact_counts()[kind] == counts.loaded
        again = load_one(store, kind, path, options).counts
        assert again.read == counts.read
        assert again.loaded == 0
        assert again.quarantined == counts.quarantined


def load_one(store: Store, kind: str, path: Path, options: dict[str, Any]) -> Result:
    with inputs([str(path)], None) as readers:
        return load(store, sources()[kind], readers, Options(**options))


kinds = st.sampled_from(sorted(HEADERS))
cells = st.one_of(st.sampled_from(PIECES), st.text(max_size=6))


@SOME
@given(data=st.data(), kind=kinds, masked=st.booleans())
def test_any_csv(data: st.DataObject, kind: str, masked: bool) -> None:
    header = data.draw(st.permutations(HEADERS[kind] + data.draw(st.sampled_from([[], ["extra"]]))))
    rows = data.draw(
        st.lists(st.lists(cells, min_size=len(header) - 1, max_size=len(header) + 1), max_size=8)
    )
    text = "\n".join([",".join(header), *(",".join(row) for row in rows)])
    content = text.encode("utf-8", errors="surrogatepass")
    if data.draw(st.booleans(), label="wrong encoding"):
        content = content.replace(b"\xc3", b"\xff")
    hold(kind, masked, "any.csv", content, distinct=data.draw(st.booleans(), label="distinct"))


@SOME
@given(
    content=st.binary(max_size=200),
    ending=st.sampled_from(["csv", "csv.gz", "parquet", "jsonl", "jsonl.gz"]),
)
def test_any_bytes(content: bytes, ending: str) -> None:
    hold("transfers", False, f"any.{ending}", content)


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        cells,
        st.sampled_from(["a", "b", 5, 1.25]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@SOME
@given(data=st.data(), kind=kinds, masked=st.booleans())
def test_any_json_lines(data: st.DataObject, kind: str, masked: bool) -> None:
    header = HEADERS[kind]
    keys = st.one_of(st.sampled_from(header), st.text(max_size=3))
    objects = st.one_of(
        st.fixed_dictionaries(dict.fromkeys(header, values)),
        st.dictionaries(keys, values, max_size=5),
    )
    lines = [
        json.dumps(row, ensure_ascii=data.draw(st.booleans()))
        for row in data.draw(st.lists(objects, max_size=6))
    ]
    lines += data.draw(
        st.lists(
            st.sampled_from(["", "null", "[1]", "{", '{"a":05}', '{"a":"\\ud800"}']), max_size=2
        )
    )
    content = "\n".join(data.draw(st.permutations(lines))).encode("utf-8", "surrogatepass") or b"\n"
    hold(kind, masked, "any.jsonl", content, shift=data.draw(st.sampled_from([0, 18])))


columns = st.one_of(
    st.lists(st.one_of(st.none(), cells), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.String)
    ),
    st.lists(st.one_of(st.none(), st.floats()), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Float64)
    ),
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Int64)
    ),
    st.lists(
        st.one_of(st.none(), st.decimals(-(10**12), 10**12, places=6)), min_size=4, max_size=4
    ).map(lambda v: pl.Series(v, dtype=pl.Decimal(38, 6))),
    st.lists(st.one_of(st.none(), st.datetimes()), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Datetime("us"))
    ),
    st.lists(st.one_of(st.none(), st.dates()), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Date)
    ),
    st.lists(st.one_of(st.none(), st.times()), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Time)
    ),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Boolean)
    ),
    st.lists(st.one_of(st.none(), st.binary(max_size=3)), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.Binary)
    ),
    st.lists(st.lists(st.integers(0, 5), max_size=2), min_size=4, max_size=4).map(
        lambda v: pl.Series(v, dtype=pl.List(pl.Int64))
    ),
    st.just(pl.Series([None] * 4)),
    st.just(pl.Series([Decimal(1)] * 4)),
)


@SOME
@given(data=st.data(), kind=kinds, masked=st.booleans())
def test_any_parquet(data: st.DataObject, kind: str, masked: bool) -> None:
    plain = st.sampled_from(["a", "b", "c"]).map(lambda v: pl.Series([v] * 4))
    header = [*HEADERS[kind], "extra"]
    frame = pl.DataFrame(
        {name: data.draw(st.one_of(plain, columns), label=name) for name in header}
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    hold(kind, masked, "any.parquet", buffer.getvalue(), lower=data.draw(st.booleans()))
