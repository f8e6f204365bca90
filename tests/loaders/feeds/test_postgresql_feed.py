"""What is PostgreSQL's own: its types, passwords, transactions that may only read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest
from postgres_servers import execute

from graph.errors import UserError

Nights = Callable[..., Any]
PASSWORD = "p@ss/wörd %41?"


def feed(address: str, asked: str, *more: str) -> str:
    return (
        f'name = "ledger"\nkind = "transfers"\ndatabase = "{address}"\n{asked}\n'
        'map = "id=id"\n' + "".join(f"{line}\n" for line in more)
    )


def read(night: Any) -> pl.DataFrame:
    (delivery,) = night.fetch()
    return pl.read_parquet(delivery.paths[0])


def test_types_that_arrow_has_not_come_as_text(postgres: str, night: Nights) -> None:
    execute(
        postgres,
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        "CREATE TABLE t (id uuid, src inet, dst macaddr, amount money, kind mood, note jsonb, "
        "net inet, huge numeric, day date, naive timestamp, real float8, yes bool, tags text[])",
        "INSERT INTO t VALUES ('9ad81c0d-3db3-4155-9d96-b17012018fbe', '10.0.0.1', "
        "'08:00:2b:01:02:03', 3.5, 'good', '{\"a\": 1}', '10.1.0.0/16', "
        "12345678901234567890.123456789012345678, '2026-05-01', '2026-05-01 10:00', 0.1, true, "
        "'{a,b}')",
    )
    (row,) = read(night(feed(postgres, 'table = "t"'))).rows(named=True)
    assert (row["id"], row["src"], row["dst"], row["net"]) == (
        "9ad81c0d-3db3-4155-9d96-b17012018fbe",
        "10.0.0.1",
        "08:00:2b:01:02:03",
        "10.1.0.0/16",
    )
    assert (row["amount"], row["kind"], row["note"]) == ("$3.50", "good", '{"a": 1}')
    assert row["huge"] == "12345678901234567890.123456789012345678"
    assert (str(row["day"]), str(row["naive"])) == ("2026-05-01", "2026-05-01 10:00:00")
    assert (row["real"], row["yes"], row["tags"]) == (0.1, True, "{a,b}")


@pytest.mark.parametrize(
    ("kind", "first", "second", "rows"),
    [
        ("date", "2026-05-03", "2026-05-04", 2),
        ("timestamp", "2026-05-03 10:00", "2026-05-03 11:00", 2),
        ("timestamptz", "2026-05-03 10:00+05:30", "2026-05-03 11:00+05:30", 2),
        ("bigint", "9007199254740993", "9007199254740994", 2),
        ("smallint", "1", "2", 2),
    ],
)
def test_watermarks_of_each_type(
    postgres: str, night: Nights, kind: str, first: str, second: str, rows: int
) -> None:
    execute(
        postgres,
        f"CREATE TABLE t (id int, src text DEFAULT 'a', dst text DEFAULT 'b', \"At It\" {kind})",
        f"INSERT INTO t (id, \"At It\") VALUES (1, '{first}')",
    )
    overlap = 1 if kind.endswith("int") else '"1d"'
    night = night(feed(postgres, 'table = "t"', 'watermark = "At It"', f"overlap = {overlap}"))
    night()
    execute(postgres, f"INSERT INTO t (id, \"At It\") VALUES (2, '{second}')")
    (delivery,) = night.fetch()
    assert delivery.rows == rows
    night()
    assert night() == []
    assert night.store.facts("transfers").collect().height == 2


def test_a_watermark_of_another_type_is_refused(postgres: str, night: Nights) -> None:
    execute(postgres, "CREATE TABLE t (id int, src text, dst text, w text)")
    with pytest.raises(UserError, match="The watermark 'w' is of type text"):
        night(feed(postgres, 'table = "t"', 'watermark = "w"', 'overlap = "1h"')).fetch()


def test_a_query_cannot_write(postgres: str, night: Nights) -> None:
    execute(
        postgres,
        "CREATE TABLE t (id int, src text, dst text)",
        "CREATE FUNCTION put() RETURNS int LANGUAGE sql AS "
        "$$INSERT INTO t VALUES (1, 'a', 'b') RETURNING 1$$",
    )
    asked = "query = \"SELECT put() AS id, 'a' AS src, 'b' AS dst\""
    with pytest.raises(UserError, match="cannot execute INSERT in a read-only transaction"):
        night(feed(postgres, asked)).fetch()


def test_a_server_that_is_not_there(night: Nights) -> None:
    with pytest.raises(UserError, match=r"Feed 'ledger': PostgreSQL: .*Connection refused") as told:
        night(feed("postgresql://ann@127.0.0.1:1/nothing", 'table = "t"')).fetch()
    assert "\n" not in told.value.sentence


@pytest.fixture
def guarded(postgres_server: str, postgres: str) -> Iterator[str]:
    """The address of a user who has to give a password."""
    socket = dict(part.split("=", 1) for part in urlsplit(postgres).query.split("&")).get("host")
    if socket is None or not (Path(socket) / "pg_hba.conf").exists():
        pytest.skip("the rules of who may log in are not ours to change here")
    rules = Path(socket) / "pg_hba.conf"
    before = rules.read_text()
    quoted = PASSWORD.replace("'", "''")
    execute(
        postgres,
        "DROP ROLE IF EXISTS reader",
        f"CREATE ROLE reader LOGIN PASSWORD '{quoted}'",
        "CREATE TABLE t AS SELECT 1 AS id, 'ann' AS src, 'ben' AS dst",
        "GRANT SELECT ON t TO reader",
    )
    rules.write_text("local all reader scram-sha-256\n" + before)
    execute(postgres, "SELECT pg_reload_conf()")
    yield urlsplit(postgres)._replace(netloc="reader@").geturl()
    rules.write_text(before)
    execute(postgres, "SELECT pg_reload_conf()", "DROP OWNED BY reader", "DROP ROLE reader")


def test_a_password_of_the_environment_or_a_file(
    guarded: str, night: Nights, feed_of: Nights, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", PASSWORD)
    night = night(feed(guarded, 'table = "t"', 'password_env = "LEDGER_PASSWORD"'))
    (delivery,) = night.fetch()
    assert delivery.rows == 1
    assert PASSWORD not in repr(delivery)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    night.feed = feed_of(feed(guarded, 'table = "t"', f'password_file = "{secret}"'))
    (delivery,) = night.fetch()
    assert delivery.rows == 1


def test_a_wrong_password_is_refused_and_not_shown(
    guarded: str, night: Nights, feed_of: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", "wrong-and-secret")
    night = night(feed(guarded, 'table = "t"', 'password_env = "LEDGER_PASSWORD"'))
    with pytest.raises(UserError, match="password authentication failed") as told:
        night.fetch()
    assert "wrong-and-secret" not in str(told.value)
    monkeypatch.delenv("LEDGER_PASSWORD")
    with pytest.raises(UserError, match="LEDGER_PASSWORD with the password is not set"):
        night.fetch()
    night.feed = feed_of(feed(guarded, 'table = "t"', 'password_file = "nowhere"'))
    with pytest.raises(UserError, match="password file 'nowhere' cannot be read"):
        night.fetch()
    assert not list(night.staging.glob("*"))


FETCH = """
import resource, sys
from pathlib import Path
from inconcert.settings import parse
from loaders.feeds import feeds
import adbc_driver_postgresql, polars, polars_hash, pyarrow.parquet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(feed,) = feeds(parse(sys.argv[1]).feed)
(delivery,) = feed.fetch([], Path(sys.argv[2]), print)
print(delivery.rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_does_not_grow_with_the_table(postgres: str, tmp_path: Path) -> None:
    """400,000 rows of 640 letters, 240 MB, are read in less than half of that."""
    rows, letters = 400_000, 640
    execute(
        postgres,
        "CREATE TABLE t AS SELECT n AS id, 'a' || n % 97 AS src, 'b' || n % 31 AS dst, "
        f"repeat(md5(n::text), {letters // 32}) AS note, "
        "timestamptz '2026-05-01Z' + n * interval '1 s' AS updated_at "
        f"FROM generate_series(1, {rows}) n",
    )
    text = feed(postgres, 'table = "t"', 'watermark = "updated_at"', 'overlap = "1h"')
    done = subprocess.run(
        [sys.executable, "-c", FETCH, "[[feed]]\n" + text, str(tmp_path / "staging")],
        check=True,
        capture_output=True,
        text=True,
    )
    read, mebibytes = map(int, done.stdout.split())
    assert read == rows
    assert mebibytes < rows * letters / 2**20 / 2
