"""`inconcert bench speed --night`: a whole refresh, measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.long
def test_the_whole_case_at_toy_size(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INCONCERT_NOW", raising=False)  # a simulated world has its own days
    place = tmp_path / "night.json"
    words = ["--accounts", 600, "--transfers", 3000, "--json", place]
    code, out, err = call("bench", "speed", "--night", *words)
    assert code == 0, err
    answer = json.loads(place.read_text())
    assert answer["new"] == 30
    assert {"load", "detect", "queue"} <= set(answer["seconds"])
    assert "30 new transfers" in out
