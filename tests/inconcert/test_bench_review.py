"""`bench review` at a small size: what it makes is a sound log, and what it says can be read."""

from __future__ import annotations

from pathlib import Path

from inconcert.bench.review import bench_review


def test_a_long_log_is_made_listed_claimed_and_verified(tmp_path: Path) -> None:
    told: list[str] = []
    answer = bench_review(tmp_path, 60, 600, told.append)
    assert answer["problems"] == []
    assert (answer["cases"], answer["events"]) == (60, 600)
    assert len(answer["targets"]) == 3
    assert min(answer[name] for name in ("list_seconds", "claim_seconds", "verify_seconds")) > 0
    assert told[0] == "a log of 600 events about 60 cases"
