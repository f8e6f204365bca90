"""The answer as tables: for a terminal, and for docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inconcert.bench.accuracy.intervals import wilson
from inconcert.bench.accuracy.tally import GRADES

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A heading, a few sentences, the names of columns and rows of text."""

    heading: str
    words: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(answer: Row) -> list[Table]:
    """Everything that was measured."""
    found = [_goals(answer)]
    for name, one in answer["generators"].items():
        found += _of_generator(name, one)
    found += _empty(answer)
    found += _near(answer)
    if answer["peers"]:
        found += [*_peers(answer), _tuning(answer)]
    if answer["robustness"]:
        found.append(_robustness(answer))
    if answer["inside"]:
        found.append(_inside(answer))
    return [table for table in found if table.rows]


def _of(hits: int, of: int) -> str:
    """A proportion with its interval: 12/20 60 % (39–78)."""
    if not of:
        return "–"
    low, high = wilson(hits, of)
    return f"{hits}/{of} {hits / of:.0%} ({100 * low:.0f}–{100 * high:.0f})".replace("%", " %")


def _short(hits: int, of: int) -> str:
    return f"{hits / of:.0%}".replace("%", " %") if of else "–"


def _points(error: float | None) -> str:
    return "–" if error is None else f"{error:.2f}"


def _goals(answer: Row) -> Table:
    return Table(
        "Goals",
        "What the project wants to reach, and what was measured in this run.",
        ("goal", "wanted", "measured", ""),
        [
            (one["what"], f"{one['target']:g}", f"{one['measured']:g}", _met(one))
            for one in answer["targets"]
        ],
    )


def _met(goal: Row) -> str:
    return "met" if goal["met"] else "missed"


def _of_generator(name: str, found: Row) -> Iterator[Table]:
    rows = [(kind, row) for kind, row in found["kinds"].items()] + [("all", found["all"])]
    yield Table(
        f"Groups found: {name} worlds",
        f"{found['worlds']} worlds with all innocents; median {found['seconds_a_world']:.1f} s for "
        "a detection. *tonight*: at 0.5 among the 20 strongest findings; *ordered*: at 0.5 by a "
        "finding that may lead to an order; *share error*: median, in points.",
        ("kind", "groups", "at 0.5", "at 0.8", "at 0.9", "tonight", "ordered", "share error"),
        [
            (
                kind,
                str(row["groups"]),
                *(_of(row[at], row["groups"]) for at in ("at_5", "at_8")),
                *(_short(row[at], row["groups"]) for at in ("at_9", "tonight", "ordered")),
                _points(row["share_error"]),
            )
            for kind, row in rows
        ],
    )
    yield Table(
        f"What could be found: {name} worlds",
        "*proposed*: the best of all proposals, so no verdict can be better but by refinement; "
        "*undecidable*: this judge, given the true set itself, finds that it saves fewer bits than "
        "it costs to name it; then the groups found of the others. That is a limit of the families "
        "as they are: a better one may decide what these cannot, so read it beside all groups.",
        ("kind", "proposed 0.5", "proposed 0.8", "undecidable", "decidable at 0.5", "at 0.8"),
        [
            (
                kind,
                *(_short(row[at], row["groups"]) for at in ("proposed_5", "proposed_8")),
                f"{row['judged'] - row['decidable']} of {row['judged']}",
                _of(row["decidable_at_5"], row["decidable"]),
                _of(row["decidable_at_8"], row["decidable"]),
            )
            for kind, row in rows
            if row["judged"]
        ],
    )
    counted = found["findings"]
    yield Table(
        f"Findings: {name} worlds",
        f"{counted['findings']} findings: {counted['right']} right (a group at 0.5), "
        f"{counted['partial']} partly (a group at 0.1, or a piece of one), {counted['false']} "
        f"false. {counted['orders']} of them may lead to an order: "
        f"{_of(counted['orders_right'], counted['orders'])} right, {counted['orders_false']} "
        f"false; they name {counted['accounts_in_orders']} accounts, "
        f"{counted['innocent_in_orders']} of them of no group. False findings by the crowd that "
        "they are of:",
        ("crowd", *GRADES),
        _crowds(counted["false_by_crowd"]) or [("none", "0", "0", "0")],
    )


def _crowds(by_crowd: dict[str, dict[str, int]]) -> list[tuple[str, ...]]:
    return [
        (crowd.replace("_", " "), *(str(grades[grade]) for grade in GRADES))
        for crowd, grades in by_crowd.items()
    ]


def _empty(answer: Row) -> list[Table]:
    counted = {
        name: found["empty"]
        for name, found in answer["generators"].items()
        if found["empty"]["worlds"]
    }
    return [
        Table(
            "Worlds without a group",
            "All innocents, nobody guilty: every finding is false. *with an order*: worlds with "
            "one of grade corroborated or conclusive.",
            ("worlds", "with a finding", "with an order", "findings by crowd (grades as above)"),
            [
                (
                    f"{one['worlds']} {name}",
                    _of(one["with_false"], one["worlds"]),
                    _of(one["with_orders"], one["worlds"]),
                    "; ".join(
                        f"{crowd} {' '.join(figures)}"
                        for crowd, *figures in _crowds(one["false_by_crowd"])
                    )
                    or "none",
                )
                for name, one in counted.items()
            ],
        )
    ]


def _near(answer: Row) -> list[Table]:
    return [
        Table(
            "Just below and just above the line",
            "Groups whose holdings are set to 4.5–4.95 % (not to be found) and 5.01–5.25 %.",
            ("worlds", "below, said to be over", "below, ordered", "above at 0.5", "above at 0.8"),
            [
                (
                    f"{near['worlds']} {name}",
                    _of(near["below_said_over"], near["below"]),
                    _of(near["below_ordered"], near["below"]),
                    _of(near["above"]["at_5"], near["above"]["groups"]),
                    _of(near["above"]["at_8"], near["above"]["groups"]),
                )
                for name, found in answer["generators"].items()
                if (near := found["near"])
            ],
        )
    ]


def _peers(answer: Row) -> Iterator[Table]:
    for name, found in answer["generators"].items():
        rows = [("inconcert", found)] + [
            (peer["name"], peer["generators"][name])
            for peer in answer["peers"]
            if "setting" in peer
        ]
        yield Table(
            f"Beside other methods: {name} worlds",
            "The same worlds. A peer that gives no grade may order all it finds, or nothing; its "
            "empty worlds are as many as its worlds with groups, at most.",
            (
                "method",
                "at 0.5",
                "at 0.8",
                "at 0.9",
                "findings",
                "right",
                "false",
                "empty worlds with a false one",
            ),
            [_beside(method, one) for method, one in rows],
        )


def _beside(method: str, one: Row) -> tuple[str, ...]:
    groups, findings, empty = one["all"], one["findings"], one["empty"]
    return (
        method,
        *(_of(groups[at], groups["groups"]) for at in ("at_5", "at_8")),
        _short(groups["at_9"], groups["groups"]),
        str(findings["findings"]),
        str(findings["right"]),
        str(findings["false"]),
        f"{empty['with_false']} of {empty['worlds']}",
    )


def _tuning(answer: Row) -> Table:
    return Table(
        "How the peers were tuned",
        "On worlds of both generators that are used for nothing else: the setting with the best "
        "F1 at 0.5 (the right findings and the groups found, of all findings and groups); of equal "
        "ones the one with fewer findings.",
        ("method", "what it does", "kept", "F1", "settings tried", "their F1"),
        [_tuned(peer) for peer in answer["peers"]],
    )


def _tuned(peer: Row) -> tuple[str, ...]:
    if "missing" in peer:
        return peer["name"], peer["help"], f"left out: {peer['missing']}", "–", "–", "–"
    scores = [one["score"] for one in peer["tried"]]
    kept = ", ".join(f"{name} {value}" for name, value in peer["setting"].items()) or "–"
    return (
        peer["name"],
        peer["help"],
        kept,
        f"{max(scores):.2f}",
        str(len(scores)),
        f"{min(scores):.2f}–{max(scores):.2f}",
    )


def _robustness(answer: Row) -> Table:
    return Table(
        "When facts are missing or wrong",
        "The first worlds of the tables above, changed before they are loaded. *first is right*: "
        "worlds whose strongest finding is a group.",
        (
            "change",
            "worlds",
            "at 0.5",
            "at 0.8",
            "tonight",
            "ordered",
            "orders false",
            "first is right",
        ),
        [
            (
                row["change"],
                row["generator"],
                _of(row["groups"]["at_5"], row["groups"]["groups"]),
                _of(row["groups"]["at_8"], row["groups"]["groups"]),
                _short(row["groups"]["tonight"], row["groups"]["groups"]),
                _short(row["groups"]["ordered"], row["groups"]["groups"]),
                str(row["findings"]["orders_false"]),
                str(row["first_right"]),
            )
            for row in answer["robustness"]
        ],
    )


def _inside(answer: Row) -> Table:
    return Table(
        "Where detection ends",
        "Adversary's worlds in which a scheme takes this part of its members' transfers. *net "
        "bits*: what the judge says of the true set, less its cost, a member (median): below 0 "
        "naming the members costs more than it explains.",
        ("inside", "at 0.5", "at 0.8", "decidable", "of decidable at 0.5", "net bits a member"),
        [
            (
                f"{row['inside']:.0%}".replace("%", " %"),
                _of(row["groups"]["at_5"], row["groups"]["groups"]),
                _of(row["groups"]["at_8"], row["groups"]["groups"]),
                _short(row["groups"]["decidable"], row["groups"]["judged"]),
                _short(row["groups"]["decidable_at_5"], row["groups"]["decidable"]),
                f"{row['net_bits_a_member']:+.1f}",
            )
            for row in answer["inside"]
        ],
    )
