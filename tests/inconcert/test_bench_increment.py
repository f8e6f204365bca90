"""`inconcert bench speed --increment`, and `detect --keep`: sooner, with the same result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_detect_keeps_and_takes_over_with_the_same_answer(
    call: Any, platform: Path, tmp_path: Path
) -> None:
    words = ["detect", "--no-save", "--permutations", "9", "--format", "json"]
    plain = json.loads(call(*words)[1])
    for _ in range(2):
        kept = json.loads(call(*words, "--keep", tmp_path / "kept")[1])
        assert kept["result_sha256"] == plain["result_sha256"]
    entries = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    assert "kin.kept" in entries
    at_an_earlier_time = [*words, "--as-of", "2020-01-01", "--keep", tmp_path / "kept"]
    assert call(*at_an_earlier_time)[0] == 0
    assert entries == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}


def test_a_file_is_no_folder_to_keep_in(call: Any, platform: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = call("detect", "--keep", tmp_path / "file")
    assert (code, out) == (2, "")
    assert "is a file" in err


@pytest.mark.long
def test_the_whole_case_at_toy_size(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INCONCERT_NOW", raising=False)  # a simulated world has its own days
    place = tmp_path / "increment.json"
    words = ["--accounts", 600, "--transfers", 3000, "--rounds", 1, "--json", place]
    code, out, _ = call("bench", "speed", "--increment", *words)
    answer = json.loads(place.read_text())
    assert code == 0
    assert answer["same_result"] is True
    assert answer["new"] == 30
    assert answer["kept_bytes"] > 0
    assert len(answer["stages"]) == 3
    assert "the same result both ways" in out
