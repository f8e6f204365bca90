"""`inconcert load` as a user meets it: exit codes, streams, JSON, help."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.store import init_store, open_store
from inconcert.cli import run
from loaders.kinds import sources

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCONCERT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-01")
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)
    init_store(str(tmp_path / "store"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["load", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return call


def test_the_answer_is_on_stdout_and_what_is_worth_knowing_on_stderr(command: Command) -> None:
    Path("in.csv").write_text("from,to,when,memo\na,b,1772366400,x\nb,b,1772366401,y\n")
    code, out, err = command("transfers", "in.csv", "--map", "src=from,dst=to", "--map", "at=when")
    assert code == 0
    assert out.startswith("Batch 1: 2 transfers read in ")
    assert out.endswith(
        "s: 2 loaded, 0 known, 0 conflicts, 0 quarantined.\n"
        "1 of them from an account to itself; kept.\n"
    )
    assert err == (
        "Ignored column: memo.\nNumbers in 'when' are read as Unix seconds; see --time-unit.\n"
    )


def test_json_and_exit_3_for_refused_rows(command: Command) -> None:
    Path("in.csv").write_text("src,dst,amount,id\na,b,1,x\na,b,-1,y\na,b,2,x\n")
    code, out, err = command("transfers", "in.csv", "--format", "json")
    answer = json.loads(out)
    assert code == 3
    assert 0 < answer.pop("seconds") < 60
    quarantine = answer.pop("quarantine_file")
    assert len(Path(quarantine).read_text().splitlines()) == 2
    assert answer == {
        "batch": 1,
        "read": 3,
        "loaded": 1,
        "known": 0,
        "conflicts": 1,
        "quarantined": 1,
        "self_transfers": 0,
        "complete_at": [],
        "dry_run": False,
        "reasons": {
            "'amount' is negative": 1,
            "'id': another row of this load has this id, other content": 1,
        },
    }
    assert err.startswith("2 rows refused: ")
    assert "'amount' is negative (1)" in err
    assert quarantine in err


def test_a_dry_run_stores_nothing_and_says_so(command: Command) -> None:
    Path("in.csv").write_text("src,dst,amount\na,b,1\na,b,x\n")
    code, out, err = command("transfers", "in.csv", "--dry-run")
    assert code == 3
    assert out.startswith("Dry run, nothing stored: 2 transfers read in ")
    assert "1 loaded" in out
    assert err == "1 row refused: 'amount' is not a number (1).\n"
    store = open_store("store")
    assert store.batches() == []
    assert not list(Path("store").rglob("*.jsonl"))
    assert store.accounts().collect().is_empty()


def test_a_users_error_is_one_sentence_and_exit_1(command: Command) -> None:
    code, out, err = command("transfers", "none.csv")
    assert (code, out, err) == (1, "", "inconcert: There is no file 'none.csv'.\n")
    Path("in.csv").write_text("from,to\na,b\n")
    code, out, err = command("transfers", "in.csv")
    assert (code, out) == (1, "")
    assert err == (
        "inconcert: 'in.csv' has no column 'src' or 'dst'; it has from, to. "
        "Say which column it is: --map src=from,dst=to\n"
    )


def test_an_unknown_kind_names_the_nearest(command: Command) -> None:
    code, _, err = command("transfer", "in.csv")
    assert code == 2
    assert "Did you mean 'transfers'?" in err
    code, _, err = command("transfers", "in.csv", "--at", "2026-01-01")
    assert code == 2  # --at belongs to holdings
    code, _, err = command("holdings", "in.csv", "--at", "noon")
    assert (code, err.split(".")[0]) == (1, "inconcert: 'noon' is not a time")


def test_an_interrupted_load_leaves_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    Path("in.csv").write_text("src,dst,amount\na,b,1\na,b,x\n")
    with monkeypatch.context() as patch:
        patch.setattr("graph.embedded.load.EmbeddedLoad.commit", interrupt)
        assert command("transfers", "in.csv")[0] == 130
    store = open_store("store")
    assert store.batches() == []
    assert not list(Path("store").rglob("*.jsonl"))
    assert "1 loaded" in command("transfers", "in.csv")[1]


def test_holdings_of_a_time_and_complete(command: Command) -> None:
    Path("in.csv").write_text("account,amount\na,5\n")
    code, out, _ = command(
        "holdings", "in.csv", "--at", "2026-03-01", "--complete", "--format", "json"
    )
    assert (code, json.loads(out)["complete_at"]) == (0, ["2026-03-01T00:00:00Z"])


def test_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"src,dst\na,b\n")))
    code, out, _ = command("transfers", "-", "--input-format", "csv")
    assert code == 0
    assert "1 loaded" in out


def test_another_loader_is_waited_for_by_nobody(command: Command) -> None:
    Path("in.csv").write_text("src,dst\na,b\n")
    with open_store("store").loading("referrals", "x"):
        code, out, err = command("transfers", "in.csv")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1


@pytest.mark.parametrize("kind", sorted(sources()))
def test_help_names_every_column_and_an_example(command: Command, kind: str) -> None:
    code, out, _ = command(kind, "--help")
    assert code == 0
    for field in sources()[kind].fields:
        assert f"{'*' if field.required else ' '} {field.name} " in out
    assert sources()[kind].example in out


EXAMPLE_FILES = {
    "transfers": "from,to,timestamp\na,b,1772366400\n",
    "referrals": "inviter,invited\na,b\n",
    "sightings": "account,device_id\na,x1\n",
    "purchases": "account,points,paid_at\na,5,2026-01-01\n",
    "holdings": "account,balance\na,5\n",
    "accounts": "account,created\na,2026-01-01\n",
    "links": "left,right\na,b\n",
}


@pytest.mark.parametrize("kind", sorted(sources()))
def test_the_example_of_every_kind_runs(command: Command, kind: str) -> None:
    words = sources()[kind].example.split()
    assert words[:3] == ["inconcert", "load", kind]
    Path(words[3]).write_text(EXAMPLE_FILES[kind])
    code, out, _ = command(*words[2:])
    assert code == 0
    assert f"1 {kind} read" in out


def test_help_imports_nothing_that_computes() -> None:
    heavy = "polars", "pyarrow", "numpy"
    script = (
        "import sys; from inconcert.cli import run; run(['load', 'transfers', '--help']);"
        f"sys.exit(any(name in sys.modules for name in {heavy!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, "the help imports what computes"
