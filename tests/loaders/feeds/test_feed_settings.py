"""`[[feed]]` tables: what they say, and what is refused as they are read."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from graph.errors import UserError
from inconcert.settings import parse
from loaders.feeds import feeds

FOLDER = '[[feed]]\nname = "drop"\nkind = "transfers"\nfolder = "drop"\n'


def refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse(text)
    return caught.value.sentence


def test_feeds_in_their_order() -> None:
    settings = parse(FOLDER + FOLDER.replace('"drop"', '"other"'))
    assert [(feed.name, feed.kind) for feed in feeds(settings.feed)] == [
        ("drop", "transfers"),
        ("other", "transfers"),
    ]


def test_options_have_the_names_of_the_command_line() -> None:
    text = FOLDER.replace("transfers", "holdings") + (
        'map = ["amount=balance", "account=user"]\nsource = "bank"\ndistinct = true\n'
        'correct = true\nlower = true\nshift = 18\ntime_unit = "ms"\nat = 2026-05-01\n'
        "complete = true\n"
    )
    options = parse(text).feed[0].options()
    assert options.map == ("amount=balance", "account=user")
    assert (options.source, options.shift, options.time_unit) == ("bank", 18, "ms")
    assert all((options.distinct, options.correct, options.lower, options.complete))
    assert options.at is not None
    assert options.at.isoformat() == "2026-05-01T00:00:00+00:00"
    assert not options.dry_run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FOLDER + FOLDER, "two feeds are named 'drop'"),
        (FOLDER.replace("folder =", "folde ="), "a feed says one of"),
        (FOLDER.replace("transfers", "transfer"), "there is no kind of fact 'transfer'"),
        (FOLDER + "settel = 5\n", "settel: Extra inputs are not permitted"),
        (FOLDER + 'map = "sender=from"\n', "Transfers have no field 'sender'"),
        (FOLDER + "complete = true\n", "complete is for holdings"),
        (FOLDER + 'pattern = "../*"\n', "is to stay below the folder"),
        (FOLDER + 'pattern = "/tmp/*"\n', "is to stay below the folder"),
        (FOLDER + 'pattern = "a**/b"\n', "pattern: is no pattern of files"),
        (FOLDER + 'pattern = "."\n', "pattern: is no pattern of files"),
        (FOLDER + 'done = "{name}"\n', "the name of another file"),
        (FOLDER + 'done = "a/b"\n', "the name of another file"),
        (FOLDER.replace('"drop"\nk', '"a/b"\nk'), "name: String should match pattern"),
        (FOLDER + "settle = -1\n", "settle: Input should be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    said = refusal(text)
    assert said.startswith("inconcert.toml: feed")
    assert words in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[refresh]\nlog = ""\n', "refresh.log: is empty"),
        ('[refresh]\nfolder = ""\n', "refresh.folder: is empty"),
        ('[refresh]\narchive = ""\n', "refresh.archive: is empty"),
        ('[refresh]\nmetrics = ""\n', "refresh.metrics: is empty"),
        (
            "[refresh]\npermutations = true\n",
            "refresh.permutations: Input should be a valid integer",
        ),
        (
            FOLDER + "[refresh.alarms]\nstale_hours_of = { dorp = 5, drop = 6 }\n",
            "refresh.alarms.stale_hours_of: there is no feed 'dorp'",
        ),
    ],
)
def test_what_is_wrong_with_the_refresh_is_named(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_byte_order_mark_as_editors_write_it_changes_nothing() -> None:
    assert parse(f"\ufeff{FOLDER}") == parse(FOLDER)


LEDGER = """[[feed]]
name = "ledger"
kind = "transfers"
database = "postgresql://ann@db.example.org/ledger"
table = "transfers"
map = "id=tx"
watermark = "updated_at"
overlap = "2h"
"""


def test_a_feed_of_rows_says_how_late_commits_may_come() -> None:
    (feed,) = parse(LEDGER).feed
    assert feed.overlap == timedelta(hours=2)
    assert parse(LEDGER.replace('"2h"', "500")).feed[0].overlap == 500


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgresql+psycopg://ann@h/n", "postgresql://ann@h/n"),
        ("postgres://h/n?sslmode=require", "postgresql://h/n?sslmode=require"),
        ("sqlite:///ledger.db", "sqlite:///ledger.db"),
        ("sqlite+pysqlite:////data/ledger.db", "sqlite:////data/ledger.db"),
    ],
)
def test_databases_are_named_as_sqlalchemy_does(given: str, read: str) -> None:
    text = LEDGER.replace("postgresql://ann@db.example.org/ledger", given)
    assert parse(text).feed[0].database == read


@pytest.mark.parametrize("secret", ["ann:hunter2@h/n", "h/n?password=hunter2"])
def test_a_password_in_the_file_is_refused_and_not_shown(secret: str) -> None:
    said = refusal(LEDGER.replace("ann@db.example.org/ledger", secret))
    assert "say password_env or password_file instead" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("postgresql://", "mysql://", "is sqlite:///PATH or postgresql://"),
        ("postgresql://ann@db.example.org/ledger", "sqlite://", "is sqlite:///PATH"),
        ('map = "id=tx"\n', "", "map their id: map = 'id=…'"),
        ('map = "id=tx"', 'map = "src=from"', "map their id: map = 'id=…'"),
        ('overlap = "2h"\n', "", "a watermark needs an overlap"),
        ('watermark = "updated_at"\n', "", "an overlap needs a watermark"),
        ('"2h"', '"2 weeks"', "overlap: is a duration such as '2h'"),
        ('"2h"', "9999999999999999999", "overlap: is a duration such as '2h'"),
        ('"2h"', "-1", "overlap: is a duration such as '2h'"),
        ('"2h"', "true", "overlap: is a duration such as '2h'"),
        ('table = "transfers"\n', "", "needs a table or a query, and not both"),
        ("table =", 'query = "SELECT 1"\ntable =', "needs a table or a query, and not both"),
        ("table =", 'folder = "drop"\ntable =', "a feed says one of"),
        ("table =", 'password_env = "A"\npassword_file = "b"\ntable =', "exclude each other"),
        ('"transfers"\ndatabase', '"holdings"\ncomplete = true\ndatabase', "no complete list"),
        ("table =", 'input_format = "csv"\ntable =', "Extra inputs"),
    ],
)
def test_what_is_wrong_with_a_feed_of_rows_is_named(old: str, new: str, words: str) -> None:
    assert LEDGER.count(old) == 1
    said = refusal(LEDGER.replace(old, new))
    assert said.startswith("inconcert.toml: feed")
    assert words in said


def test_kinds_without_an_id_can_be_read_on() -> None:
    """Equal rows of accounts say the same thing once or twice."""
    text = LEDGER.replace('"transfers"\ndatabase', '"accounts"\ndatabase')
    assert parse(text.replace('map = "id=tx"\n', "")).feed[0].kind == "accounts"


def test_reading_the_settings_is_light() -> None:
    light = "import sys, inconcert.settings; print(sorted({*sys.modules} & {*sys.argv[1:]}))"
    heavy = ("polars", "pyarrow", "sqlite3", "adbc_driver_manager", "numpy")
    done = subprocess.run(
        [sys.executable, "-c", light, *heavy], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
