"""`inconcert tune`: decisions in, a proposal out; nothing changes but by --adopt."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from town_files import write

from graph.store import open_store
from inconcert.settings import settings

HEADER = ("group", "verdict", "at", "by")
TOML = Path("inconcert.toml")


@pytest.fixture
def two_runs(call, own_platform):
    """The ring, found at 5 % and at 4 %: its group's id in each run, oldest first."""
    assert call("detect", "--line", "4%", "--permutations", "9")[0] == 0
    runs = list(reversed(open_store(str(own_platform)).runs()))
    return [(run.id, run.result["groups"][0]["id"]) for run in runs]


@pytest.fixture
def refuted(two_runs, tmp_path):
    """A file in which the ring was confirmed at first, then refuted, with both runs named."""
    (old, at_five), (new, at_four) = two_runs
    return write(
        tmp_path / "decisions.csv",
        ("run", *HEADER),
        (old, at_five, "confirmed", "2026-05-24T09:00:00Z", "ann"),
        (new, at_four, "refuted", "2026-05-25T09:00:00Z", "bob"),
    )


def answer_of(call, *words):
    code, out, err = call("tune", *words, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_proposal_changes_nothing(call, refuted, own_platform):
    store = open_store(str(own_platform))
    runs, batches = store.runs(), store.batches()
    code, out, err = call("tune", "--decisions", refuted)
    assert (code, err) == (0, "")
    assert "Nothing is changed." in out
    assert "0 confirmed, 1 refuted" in out
    assert not TOML.exists()
    assert (store.runs(), store.batches()) == (runs, batches)


def test_the_proposal_follows_from_the_evidence_of_the_run(call, refuted, two_runs, own_platform):
    answer = answer_of(call, "--decisions", refuted)
    assert answer["decisions"] == {
        "read": 2,
        "confirmed": 0,
        "refuted": 1,
        "replaced": 1,
        "of_pruned_runs": 0,
        "of_single_accounts": 0,
    }
    run, group = two_runs[1]
    (found,) = [
        g for g in open_store(str(own_platform)).run(run).result["groups"] if g["id"] == group
    ]
    whole = sum(reason["bits"] for reason in found["reasons"])
    for row in answer["families"]:
        part = next(r["bits"] for r in found["reasons"] if r["family"] == row["family"]) / whole
        assert row["refuted"] == pytest.approx(part, abs=1e-6)
        assert row["proposed"] == round(50 / (50 + part), 2)
    assert any(row["proposed"] < 1 for row in answer["families"])
    assert {row["family"] for row in answer["families"]} == {r["family"] for r in found["reasons"]}
    assert [run["run"] for run in answer["runs"]] == [two_runs[1][0], two_runs[0][0]]
    assert [run["below"] for run in answer["runs"]] == [[], []]
    assert answer["line"]["proposed"] is None


def test_past_runs_say_what_would_fall(call, two_runs, refuted, monkeypatch):
    """One decision moves little: with hardly any prior, it moves the ring below its need."""
    monkeypatch.setattr("detectors.engine.tune.PRIOR_DECISIONS", 0.01)
    (group,) = json.loads(call("groups", "--run", two_runs[0][0], "--format", "json")[1])
    needed = round(0.9 * group["strength_bits"], 1)
    TOML.write_text(f"[detection]\nmargin_bits = {needed}\nmargin_bits_a_member = 0\n")
    settings.cache_clear()
    assert call("detect", "--permutations", "9")[0] == 0
    answer = answer_of(call, "--decisions", refuted, "--runs", "1")
    (run,) = answer["runs"]
    weights = {row["family"]: row["proposed"] for row in answer["families"]}
    would_be = sum(r["bits"] * weights[r["family"]] for r in group["reasons"]) - group["cost_bits"]
    assert would_be < needed
    (below,) = run["below"]
    assert (below["group"], below["verdict"], below["needed_bits"]) == (
        group["id"],
        "confirmed",
        needed,
    )
    assert below["would_be_bits"] == pytest.approx(would_be, abs=0.001)
    (again,) = answer_of(call, "--decisions", refuted, "--runs", "0", "--replay", "1")["replay"]
    assert [one["id"] for one in again["gone"]] == [group["id"]]
    code, out, _ = call("tune", "--decisions", refuted, "--runs", "1", "--replay", "1")
    assert code == 0
    assert "1 of 1 finding in 1 run would fall" in out
    assert "1 gone" in out


def test_a_replay_with_the_weights_in_force_finds_the_same(call, two_runs, tmp_path):
    confirmed = write(
        tmp_path / "decisions.jsonl",
    )
    run, group = two_runs[0]
    row = {"run": run, "group": group, "verdict": "confirmed", "at": "2026-05-24", "by": "ann"}
    confirmed.write_text(json.dumps(row) + "\n")
    (again,) = answer_of(call, "--decisions", confirmed, "--replay", "1")["replay"]
    kinds = ("gone", "new", "members_changed", "grade_changed")
    assert [again[kind] for kind in kinds] == [[], [], [], []]
    assert again["findings"] == 1


def test_what_is_adopted_is_in_force_from_its_day_on(call, refuted, two_runs):
    answer = answer_of(call, "--decisions", refuted, "--adopt", "--from", "2026-05-30")
    assert answer["adopted"]["version"] == 2
    assert answer["adopted"]["effective_from"] == "2026-05-30T00:00:00Z"
    weights = {row["family"]: row["proposed"] for row in answer["families"] if row["proposed"] != 1}
    (table,) = tomllib.loads(TOML.read_text())["detection"]
    assert table["weights"] == weights
    assert table["version"] == 2

    def settings_of(*words):
        code, out, _ = call(
            "detect", "--no-save", "--permutations", "0", "--format", "json", *words
        )
        assert code == 0
        result = json.loads(out)
        return result["run"]["settings"], result

    before, plain = settings_of()
    after, weighed = settings_of("--as-of", "2026-05-30T00:00:00Z")
    assert (before["version"], before["weights"]) == (1, {})
    assert (after["version"], after["weights"]) == (2, weights)
    assert plain["run"]["settings_sha256"] != weighed["run"]["settings_sha256"]
    was, now = (
        {r["family"]: r["bits"] for r in one["groups"][0]["reasons"]} for one in (plain, weighed)
    )
    for family, weight in weights.items():
        assert now[family] == pytest.approx(was[family] * weight, abs=0.001)


def test_what_is_adopted_does_not_count_again(call, refuted, two_runs):
    first = answer_of(call, "--decisions", refuted, "--adopt", "--from", "2026-05-30")
    assert call("detect", "--as-of", "2026-05-31", "--permutations", "9")[0] == 0
    code, out, _ = call("groups", "--format", "json")
    (group,) = json.loads(out)
    later = write(
        Path("later.csv"), HEADER, (group["id"], "refuted", "2026-05-31T12:00:00Z", "ann")
    )
    again = answer_of(call, "--decisions", refuted, "--decisions", later)
    assert again["decisions"]["replaced"] == 2
    for one, other in zip(first["families"], again["families"], strict=True):
        assert other["weight"] == one["proposed"]
        assert other["proposed"] == one["proposed"]
    code, out, _ = call("tune", "--decisions", refuted, "--adopt", "--from", "2026-07-01")
    assert (code, "Nothing to adopt" in out) == (0, True)


def test_a_settings_file_keeps_what_stands_in_it(call, refuted, own_platform):
    TOML.write_text("# ours\nstore = 'elsewhere'\n[detection] # strict\nmargin_bits = 40.0\n")
    TOML.chmod(0o640)
    settings.cache_clear()
    assert call("tune", "--decisions", refuted, "--adopt", "--from", "2026-06-02")[0] == 0
    text = TOML.read_text()
    assert text.startswith(
        "# ours\nstore = 'elsewhere'\n[[detection]] # strict\nmargin_bits = 40.0\n\n# Adopted at "
    )
    old, new = tomllib.loads(text)["detection"]
    assert old == {"margin_bits": 40.0}
    assert (new["version"], new["margin_bits"]) == (2, 40.0)
    assert TOML.stat().st_mode & 0o777 == 0o640
    assert not list(Path().glob(".inconcert-*"))
    other = Path("other.csv")
    rows = refuted.read_text().replace("refuted", "confirmed")
    other.write_text(rows)
    assert call("tune", "--decisions", other, "--adopt", "--from", "2026-06-03")[0] == 0
    tables = tomllib.loads(TOML.read_text())["detection"]
    assert [table.get("version", 1) for table in tables] == [1, 2, 3]
    assert all(weight > 1 for weight in tables[2]["weights"].values())


def test_a_file_that_cannot_take_a_table_stays_as_it_is(call, refuted):
    text = "detection = { margin_bits = 40.0 }\n"
    TOML.write_text(text)
    settings.cache_clear()
    code, out, err = call("tune", "--decisions", refuted, "--adopt", "--from", "2026-06-02")
    assert (code, out) == (1, "")
    assert "Put the table above into it by hand" in err
    assert "[detection.weights]" in err
    assert TOML.read_text() == text


@pytest.mark.parametrize("begin", ["2026-05-21T00:00:00Z", "2026-01-01"])
def test_settings_do_not_reach_back(call, refuted, begin):
    code, out, err = call("tune", "--decisions", refuted, "--adopt", "--from", begin)
    assert (code, out) == (1, "")
    assert "do not reach back" in err
    assert not TOML.exists()


def test_versions_follow_each_other(call, refuted):
    assert call("tune", "--decisions", refuted, "--adopt", "--from", "2026-08-01")[0] == 0
    other = Path("other.csv")
    other.write_text(refuted.read_text().replace("refuted", "confirmed"))
    code, _, err = call("tune", "--decisions", other, "--adopt", "--from", "2026-08-01")
    assert code == 1
    assert "must begin later" in err


BAD = [
    ([("group", "at", "by"), ("x", "2026-05-24", "ann")], ["no column 'verdict'"]),
    ([HEADER, ("GROUP", "maybe", "2026-05-24", "ann")], ["row 1", "'maybe'", "neither"]),
    ([HEADER, ("GROUP", "refuted", "yesterday", "ann")], ["row 1", "'yesterday' is not a time"]),
    ([HEADER, ("GROUP", "refuted", "2026-05-24", "")], ["row 1", "by is empty"]),
    ([HEADER, ("", "refuted", "2026-05-24", "ann")], ["row 1", "group is empty"]),
    ([HEADER, ("nowhere", "refuted", "2026-05-24", "ann")], ["row 1", "no group 'nowhere'"]),
    (
        [("run", *HEADER), ("r0", "GROUP", "refuted", "2026-05-24", "ann")],
        ["row 1", "no run 'r0'"],
    ),
    (
        [HEADER, *(("GROUP", v, "2026-05-24", "ann") for v in ("refuted", "confirmed"))],
        ["row 2", "the contrary", "row 1"],
    ),
    ([HEADER, ("GROUP", "refuted", "2026-05-24")], ["row 1"]),
]


@pytest.mark.parametrize(("rows", "words"), BAD)
def test_a_file_that_is_wrong_is_refused_in_one_sentence(call, two_runs, tmp_path, rows, words):
    group = two_runs[0][1]
    rows = [[group if cell == "GROUP" else cell for cell in row] for row in rows]
    path = write(tmp_path / "decisions.csv", *rows)
    code, out, err = call("tune", "--decisions", path)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert [word for word in words if word not in err] == []


def test_decisions_about_pruned_runs_are_counted_and_left_out(call, two_runs, refuted):
    assert call("runs", "prune", "--keep", "1")[0] == 0
    decisions = answer_of(call, "--decisions", refuted)["decisions"]
    assert (decisions["of_pruned_runs"], decisions["refuted"], decisions["replaced"]) == (1, 1, 0)
    assert "1 decision; each is about a pruned run" in call("tune", "--decisions", refuted)[1]


def test_from_without_adopt_is_a_slip(call, refuted):
    code, _, err = call("tune", "--decisions", refuted, "--from", "2026-06-02")
    assert (code, "--adopt" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[detection.weights]\nflwo = 1.1\n", ["no family 'flwo'", "Did you mean 'flow'?"]),
        ("[detection.weights]\nflow = 2\n", ["detection.weights.flow"]),
        ("[detection.weights]\nflow = nan\n", ["detection.weights.flow"]),
        ("[detection.weights]\nlinks = 0.9\n", ["links are documents"]),
        ("[[detection]]\n[[detection]]\nversion = 2\n", ["table 2 needs an effective_from"]),
        (
            "[[detection]]\n[[detection]]\neffective_from = 2026-01-01\n",
            ["table 2 needs a higher version"],
        ),
        (
            "[[detection]]\neffective_from = 2026-02-01\n"
            "[[detection]]\nversion = 2\neffective_from = 2026-01-01\n",
            ["table 2 takes effect no later"],
        ),
        ("[[detection]]\n[[detection]]\nmargin = 1\n", ["detection.table 2.margin"]),
    ],
)
def test_tables_that_are_wrong_are_refused(call, platform, text, words):
    TOML.write_text(text)
    settings.cache_clear()
    code, out, err = call("detect", "--no-save")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert [word for word in words if word not in err] == []


def test_without_a_file_it_is_what_was_decided_in_the_queue(call, two_runs, own_platform):
    from review import desk as at
    from review.intake import fill
    from review.log import act
    from review.people import Person
    from review.policy import built_in

    store = open_store(str(own_platform))
    assert answer_of(call)["decisions"]["read"] == 0
    ann = Person("ann", "ann", ("investigator",), ())
    fill(store, ann, store.run(two_runs[0][0]))
    [key] = [key for key, case in store.log.views("case").items() if case["on"] == "group"]

    def refute(desk):
        at.claim(desk, ann, key)
        at.move(desk, ann, key, "in_review", built_in())
        at.decide(desk, ann, key, "refuted", reason="household")

    act(store, ann, refute)
    said = answer_of(call)["decisions"]
    assert (said["read"], said["confirmed"], said["refuted"]) == (1, 0, 1)
