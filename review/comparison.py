"""What differs between two runs: what they were asked, and what became of their groups.

Groups are matched line by line as the queue matches findings with cases (`review.lineage`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from graph.store import RunSummary
from review.lineage import match, sets_of
from review.standing import size_of

Answer = dict[str, Any]
Group = Mapping[str, Any]

SAID = ("as_of", "known_at", "detectors", "seed", "permutations", "settings_sha256")
"""Of what a run was asked that is compared."""


def compare(before: RunSummary, after: RunSummary) -> Answer:
    """What differs between two runs; of pruned ones as far as their summaries say.

    Each is a `RunRecord`, or a summary where it is pruned.
    """
    both = (before, after)
    lines = [_lines(run) for run in both]
    common = [line for line in lines[0] if line in lines[1]]
    pruned = [run.id for run in both if run.pruned]
    return {
        "before": _header(before),
        "after": _header(after),
        "same_result": before.result["result_sha256"] == after.result["result_sha256"],
        "pruned": pruned,
        "settings": _settings(before, after),
        "base_factor": _factor(before, after),
        "lines_of_one": {
            "before": [float(line) for line in lines[0] if line not in common],
            "after": [float(line) for line in lines[1] if line not in common],
        },
        "groups": [row for line in common for row in _groups_at(before, after, line, bool(pruned))],
    }


def _lines(run: RunSummary) -> list[Fraction]:
    said = run.result["run"].get("exact_lines")
    return [Fraction(line) for line in said or map(str, run.result["lines"])]


def _header(run: RunSummary) -> Answer:
    said = run.result["run"]
    return {
        "run": run.id,
        **{name: said.get(name) for name in SAID},
        "base": run.result["supply"],
        "base_rule": run.result["base_rule"],
        "lines": run.result["lines"],
        "accounts": run.result["accounts"],
        "groups": len(run.result["groups"]),
        "result_sha256": run.result["result_sha256"],
        "pruned": run.pruned,
    }


def _settings(before: RunSummary, after: RunSummary) -> list[Answer]:
    """The settings of detection that differ, by name: `a.b` is b in the table a."""
    was, own = (dict(_flat(run.result["run"].get("settings") or {})) for run in (before, after))
    return [
        {"setting": name, "before": was.get(name), "after": own.get(name)}
        for name in sorted({*was, *own})
        if was.get(name) != own.get(name)
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _factor(before: RunSummary, after: RunSummary) -> float | None:
    """By what the base was multiplied."""
    was = _base(before)
    return float(_base(after) / was) if was else None


def _base(run: RunSummary) -> Fraction:
    return Fraction(run.result["supply"])


def _groups_at(before: RunSummary, after: RunSummary, line: Fraction, pruned: bool) -> list[Answer]:
    """The groups of a line, those that changed most first."""
    was = {group["id"]: group for group in _at(before, line)}
    own = {group["id"]: group for group in _at(after, line)}
    found = _by_id(was, own) if pruned else _by_members(was, own)
    rows = [_row(line, change, old, new, before, after, with_) for change, old, new, with_ in found]
    return sorted(rows, key=lambda row: (-abs(row["share_change"]["all"]), _ids(row)))


def _at(run: RunSummary, line: Fraction) -> list[Group]:
    return [group for group in run.result["groups"] if group["line"] == float(line)]


def _ids(row: Answer) -> tuple[str, ...]:
    return tuple(row[side]["group"] if row[side] else "" for side in ("before", "after"))


Pair = tuple[str, Group | None, Group | None, str | None]
"""What became of it, before, after, and the group that it merged into or split from."""


def _by_id(was: Mapping[str, Group], own: Mapping[str, Group]) -> Iterator[Pair]:
    """Without members only the same id says that it is the same group: an id is made of the
    members, the line and the as-of. Of all others it is not known what became of them."""
    for name in own:
        yield ("unchanged" if name in was else "unknown"), was.get(name), own[name], None
    for name in was:
        if name not in own:
            yield "unknown", was[name], None, None


def _by_members(was: Mapping[str, Group], own: Mapping[str, Group]) -> Iterator[Pair]:
    for alone in (True, False):  # a group does not continue what was found of one account
        ours = [
            {name: one for name, one in side.items() if (size_of(one) == 1) == alone}
            for side in (was, own)
        ]
        matched = match(sets_of(list(ours[0].values())), sets_of(list(ours[1].values())))
        for name, one in matched.findings.items():
            split = one.change == "split"
            old = None if split or one.case is None else was[one.case]
            yield one.change, old, own[name], one.case if split else None
        continued = {
            one.case: name
            for name, one in matched.findings.items()
            if one.case and one.change != "split"
        }
        for name, into in matched.merged.items():
            yield "merged", was[name], None, continued[into]
        for name in matched.gone:
            yield "gone", was[name], None, None


def _row(
    line: Fraction,
    change: str,
    old: Group | None,
    new: Group | None,
    before: RunSummary,
    after: RunSummary,
    other: str | None,
) -> Answer:
    known = all(side is None or "members" in side for side in (old, new))
    members = _members(old, new) if known else None
    return {
        "line": float(line),
        "change": change,
        "other": other,
        "before": _side(old),
        "after": _side(new),
        "base_before": before.result["supply"],
        "share_change": share_change(old, new, _base(before), _base(after)),
        "members": members,
        "evidence": _evidence(old, new),
    }


def _side(group: Group | None) -> Answer | None:
    if group is None:
        return None
    kept = ("share", "holdings", "grade", "strength_bits", "p_value")
    return {
        "group": group["id"],
        **{name: group.get(name) for name in kept},
        "accounts": size_of(group),
    }


def _members(old: Group | None, new: Group | None) -> Answer:
    """Who came, left and stayed, each with what it holds; the largest first."""
    was, own = _held(old), _held(new)
    return {
        "came": [_of(own[one]) for one in own if one not in was],
        "left": [_of(was[one]) for one in was if one not in own],
        "stayed": [
            {**_of(own[one]), "share_before": was[one]["share"]} for one in own if one in was
        ],
    }


def _held(group: Group | None) -> dict[str, Answer]:
    return {one["account"]: one for one in (group["members"] if group else ())}


def _of(member: Answer) -> Answer:
    return {name: member[name] for name in ("account", "share", "holdings")}


def share_change(
    old: Group | None, new: Group | None, base_before: Fraction, base_after: Fraction
) -> Answer:
    """What of the change of a share is due to what: three parts that add up to it exactly.

    `members`: what those hold who came, less what those held who left; `holdings`: by how much
    what those hold who stayed has changed; both in parts of the base before. `base`: what the
    group holds now as a part of the base now, less as a part of the base before. In this order
    no rest is left. `exact`: the same as fractions. Without the members, `members` is None and
    `holdings` has both.
    """
    held_before, held_after = (
        Fraction(one["holdings"]) if one else Fraction(0) for one in (old, new)
    )
    was = held_before / base_before if base_before else Fraction(0)
    own = held_after / base_after if base_after else Fraction(0)
    moved = _moved(old, new)
    if not base_before:  # nobody had a share of nothing
        moved, both = (None if moved is None else Fraction(0)), Fraction(0)
    else:
        moved = None if moved is None else moved / base_before
        both = (held_after - held_before) / base_before
    exact = {
        "members": moved,
        "holdings": both - (moved or 0),
        "base": own - was - both,
        "all": own - was,
    }
    return {
        **{name: None if part is None else float(part) for name, part in exact.items()},
        "exact": {name: None if part is None else str(part) for name, part in exact.items()},
    }


def _moved(old: Group | None, new: Group | None) -> Fraction | None:
    """What those hold who came, less what those held who left. None: members are not kept."""
    if any(side is not None and "members" not in side for side in (old, new)):
        return None
    was, own = _held(old), _held(new)
    came = sum(Fraction(own[one]["holdings"]) for one in own if one not in was)
    left = sum(Fraction(was[one]["holdings"]) for one in was if one not in own)
    return Fraction(came - left)


def _evidence(old: Group | None, new: Group | None) -> list[Answer]:
    """The bits of each family before and after; of a pruned run only which families."""
    was, own = _bits(old), _bits(new)
    return [
        {"family": name, "before": was.get(name, 0.0), "after": own.get(name, 0.0)}
        for name in sorted({*was, *own})
    ]


def _bits(group: Group | None) -> dict[str, float | None]:
    """None: the bits are not kept."""
    if group is None:
        return {}
    if "reasons" not in group:
        return dict.fromkeys(group.get("detectors", ()))
    return {reason["family"]: reason["bits"] for reason in group["reasons"]}
