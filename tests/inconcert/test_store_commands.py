"""`inconcert store` and `inconcert supply` as their user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from graph.schema import AMOUNT, KINDS, TIME
from graph.store import Counts, Store, init_store
from inconcert.cli import run

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
Answer = tuple[int, str, str]
Command = Callable[..., Answer]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command on the store in a fresh folder: exit code, stdout, stderr."""
    monkeypatch.setenv("INCONCERT_STORE", str(tmp_path / "store"))

    def command(*words: str) -> Answer:
        capsys.readouterr()
        code = run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def store(tmp_path: Path, command: Command) -> Store:
    return init_store(str(tmp_path / "store"))


def _hold(store: Store, amount: str, at: datetime = JANUARY) -> int:
    with store.loading("holdings", "export") as load:
        frame = pl.DataFrame({"uid": [f"h {amount} {at}"]}).with_columns(
            pl.lit(1, pl.Int32).alias("revision"),
            load.number(pl.Series("account", ["ann"])),
            pl.lit(amount).cast(AMOUNT).alias("amount"),
            pl.lit(at).cast(TIME).alias("at"),
            pl.lit(None, pl.Int64).alias("step"),
        )
        load.append("holdings", frame)
        return load.commit(Counts(read=1, loaded=1)).batch


def test_init_says_what_it_made_and_what_the_key_is_for(command: Command, tmp_path: Path) -> None:
    code, out, err = command(
        "store", "init", str(tmp_path / "new"), "--mask", "--holdings", "replayed", "--issuer", "x"
    )
    assert (code, out) == (
        0,
        f"Made the store {tmp_path / 'new'}: masked account ids, holdings replayed.\n",
    )
    assert str(tmp_path / "new" / "key") in err
    assert "lost" in err
    again = command("store", "init", "--store", str(tmp_path / "new"))
    assert again[:2] == (1, "")
    assert "is a store already" in again[2]
    assert again[2].count("\n") == 1


def test_a_missing_store_is_one_sentence(command: Command) -> None:
    for words in (["store", "info"], ["store", "check"], ["supply", "show"]):
        code, out, err = command(*words)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "inconcert store init" in err


def test_info_as_json_tells_everything(command: Command, store: Store) -> None:
    batch = _hold(store, "2.50")
    assert command("store", "withdraw", str(batch))[0] == 0
    code, out, _ = command("store", "info", "--format", "json")
    summary = json.loads(out)
    assert code == 0
    assert summary["properties"]["holdings"] == "stated"
    assert summary["facts"] == {"holdings": 0}
    assert [(b["batch"], b["action"], b["withdrawn"]) for b in summary["batches"]] == [
        (batch, "load", True),
        (batch + 1, "withdraw", False),
    ]
    assert summary["batches"][0]["loaded"] == 1
    assert summary["uncommitted"] == []
    assert summary["bytes"]["ledger"] > 0


def test_info_as_a_table_is_not_cut_in_a_pipe(command: Command, store: Store) -> None:
    with store.loading("holdings", "a source with a rather long name, as they are") as load:
        load.commit(Counts(read=4, known=2, conflicts=1, quarantined=1))
    with store.loading("holdings", "going on"):
        code, out, _ = command("store", "info")
    assert code == 0
    assert "a source with a rather long name, as they are" in out
    assert "…" not in out
    assert "Load 2 is not committed" in out
    assert "\x1b" not in out


def test_withdraw_and_its_undoing(command: Command, store: Store) -> None:
    batch = str(_hold(store, "1"))
    assert command("store", "withdraw", batch)[:2] == (
        0,
        f"Batch {batch} is withdrawn (recorded as batch 2).\n",
    )
    assert command("store", "withdraw", batch)[0] == 1
    assert store.fact_counts() == {"holdings": 0}
    assert command("store", "withdraw", batch, "--undo")[0] == 0
    assert store.fact_counts() == {"holdings": 1}
    assert command("store", "withdraw", "77")[0] == 1
    assert command("store", "withdraw", "x")[0] == 2


def test_check_says_sound_or_what_is_wrong(command: Command, store: Store, tmp_path: Path) -> None:
    _hold(store, "1")
    assert command("store", "check")[:2] == (
        0,
        "The store is sound: 1 facts, each there once, as committed.\n",
    )
    file = next((tmp_path / "store" / "facts" / "holdings").glob("*.parquet"))
    file.write_bytes(b"PAR1")
    code, out, err = command("store", "check")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert str(file) in err


def test_check_as_json(command: Command, store: Store, tmp_path: Path) -> None:
    _hold(store, "1")
    code, out, err = command("store", "check", "--format", "json")
    sound = {"store": store.url, "sound": True, "facts": {"holdings": 1}}
    assert (code, json.loads(out), err) == (0, {**sound, "problems": [], "notes": []}, "")
    file = next((tmp_path / "store" / "facts" / "holdings").glob("*.parquet"))
    file.write_bytes(b"PAR1")
    with store.loading("holdings", "going on"):
        code, out, err = command("store", "check", "--format", "json")
    answer = json.loads(out)
    assert (code, err, answer["sound"], answer["facts"]) == (1, "", False, {})
    [problem] = answer["problems"]
    assert str(file) in problem
    assert "Load 2 is not committed" in answer["notes"][0]


def test_what_a_check_says_is_in_words_of_the_user(command: Command) -> None:
    assert "ledger" not in command("store", "check", "--help")[1]


def test_compact_says_what_it_did(command: Command, store: Store) -> None:
    assert command("store", "compact")[:2] == (0, "Nothing to join.\n")
    _hold(store, "1")
    _hold(store, "2")
    code, out, _ = command("store", "compact")
    assert code == 0
    assert "holdings: 2 files before, 1 after" in out


def test_a_supply_is_set_and_shown_exactly(command: Command, store: Store) -> None:
    big = "12345678901234567890.123456789012345678"
    code, out, _ = command("supply", "set", big, "--from", "2026-02-01")
    assert (code, out) == (
        0,
        f"The supply is {big} from 2026-02-01T00:00:00Z (recorded as batch 1).\n",
    )
    command("supply", "set", "1e3", "--from", "2026-01-01")
    rows = json.loads(command("supply", "show", "--format", "json")[1])
    assert rows == [
        {"from": "2026-01-01T00:00:00Z", "amount": "1000", "batch": 2},
        {"from": "2026-02-01T00:00:00Z", "amount": big, "batch": 1},
    ]
    assert (
        command("supply", "show")[1].splitlines()[0] == "1000 from 2026-01-01T00:00:00Z (batch 2)"
    )


@pytest.mark.parametrize(
    ("amount", "date", "reason"),
    [
        ("0", "2026-01-01", "above 0"),
        ("NaN", "2026-01-01", "above 0"),
        ("ten", "2026-01-01", "not an amount"),
        ("1" + "0" * 20, "2026-01-01", "does not fit"),
        ("1.0000000000000000001", "2026-01-01", "does not fit"),
        ("5", "soon", "not a time"),
    ],
)
def test_what_is_no_supply_is_refused(
    command: Command, store: Store, amount: str, date: str, reason: str
) -> None:
    code, out, err = command("supply", "set", amount, "--from", date)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err
    assert store.supplies() == []


def test_a_supply_below_what_is_held_is_refused_exactly(command: Command, store: Store) -> None:
    _hold(store, "100.000000000000000001")
    _hold(store, "150", datetime(2026, 6, 1, tzinfo=UTC))
    code, _, err = command("supply", "set", "100", "--from", "2026-01-01")
    assert code == 1
    assert "The accounts hold 100.000000000000000001 at 2026-01-01" in err
    code, _, err = command("supply", "set", "149", "--from", "2026-01-01")
    assert code == 1
    assert "hold 150 at 2026-06-01" in err
    assert command("supply", "set", "150", "--from", "2026-01-01")[0] == 0
    # holdings grew beyond it: a larger one can still be set
    _hold(store, "200", datetime(2026, 7, 1, tzinfo=UTC))
    assert command("supply", "set", "200", "--from", "2026-01-01")[0] == 0
    assert store.supplies()[-1].amount == Decimal(200)


def test_a_busy_store_is_one_sentence(command: Command, store: Store) -> None:
    with store.loading("holdings", "export"):
        code, out, err = command("store", "compact")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "is loading holdings since" in err


@pytest.mark.parametrize(
    "words",
    [["store", name] for name in ("init", "info", "check", "compact", "withdraw")]
    + [["supply", "set"], ["supply", "show"]],
)
def test_help_shows_an_example(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "--help")
    assert code == 0
    assert f"  inconcert {' '.join(words)}" in out.split("Example:")[1]


def test_info_starts_without_what_computes(store: Store) -> None:
    script = (
        "import sys; from inconcert.cli import run; run(['store', 'info', '--format', 'json']);"
        "sys.exit('polars' in sys.modules or 'deltalake' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


def test_every_kind_is_in_the_check(command: Command, store: Store) -> None:
    for kind in KINDS:
        with store.loading(kind, "empty") as load:
            load.commit(Counts())
    assert store.check().facts == dict.fromkeys(KINDS, 0)
