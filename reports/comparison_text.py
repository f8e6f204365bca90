"""What differs between two runs, as text and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TextIO

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.findings_text import GRADE_STYLES
from reports.wording import amount_text, counted, line_name, percent, printable

Answer = Mapping[str, Any]

COLUMNS = (
    "line",
    "change",
    "before",
    "after",
    "share_before",
    "share_after",
    "by_members",
    "by_holdings",
    "by_base",
    "grade_before",
    "grade_after",
    "account",
    "member",
    "account_share_before",
    "account_share_after",
)

CHANGES = {
    "born": "new",
    "split": "split off",
    "merged": "merged into another",
    "gone": "not found any more",
    "grew": "grew",
    "shrank": "shrank",
    "unchanged": "unchanged",
    "unknown": "not known",
}

DECIMALS = 3
"""Of percentage points."""


def comparison(answer: Answer, most_members: int | None) -> RenderableType:
    """Two runs next to each other, then every group that changed, the largest change first."""
    before, after = answer["before"], answer["after"]
    title = Text(f"Run {before['run']} and run {after['run']}", style="bold")
    parts: list[RenderableType] = [title]
    if answer["same_result"]:
        parts.append(Text(_nothing_differs(answer)))
        return Stack(*parts)
    parts += [_indented(_headers(answer)), *_remarks(answer), Text("")]
    parts.append(Text(_counts(answer["groups"]), style="bold"))
    if answer["groups"]:
        parts += [_indented(_overview(answer["groups"])), Text(WHY)]
    for row in answer["groups"]:
        parts += _group(row, most_members)
    return Stack(*parts)


WHY = (
    "Members: those who came less those who left. Holdings: what those who stayed hold more or "
    "less. Base: the same amount as a part of another base. The three add up."
)


def _nothing_differs(answer: Answer) -> str:
    before, after = answer["before"], answer["after"]
    said = f"Nothing differs: both have the result {after['result_sha256'][:12]}."
    if before["run"] != after["run"] and before["known_at"] != after["known_at"]:
        said += (
            f" What was loaded between batch {before['known_at']} and batch {after['known_at']} "
            "changed nothing of it."
        )
    return said


def _headers(answer: Answer) -> Table:
    before, after = answer["before"], answer["after"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "before", "after", ""):
        table.add_column(name, overflow="fold")
    rows = [
        ("as of", before["as_of"], after["as_of"]),
        ("known at batch", before["known_at"], after["known_at"]),
        ("base", amount_text(before["base"]), amount_text(after["base"])),
        ("holdings", before["base_rule"], after["base_rule"]),
        ("lines", *(" ".join(map(line_name, side["lines"])) for side in (before, after))),
        ("accounts", f"{before['accounts']:,}", f"{after['accounts']:,}"),
        ("groups", before["groups"], after["groups"]),
        ("detectors", *_detectors(before["detectors"], after["detectors"])),
        ("seed", before["seed"], after["seed"]),
        ("permutations", before["permutations"], after["permutations"]),
        ("settings", *(_digest(side["settings_sha256"]) for side in (before, after))),
        *((f"  {one['setting']}", one["before"], one["after"]) for one in answer["settings"]),
        ("result", *(_digest(side["result_sha256"]) for side in (before, after))),
    ]
    for name, was, own in rows:
        differs = "" if was == own else _how_differs(name, answer)
        table.add_row(name, printable(str(was)), printable(str(own)), differs)
    return table


def _detectors(was: Sequence[str] | None, own: Sequence[str] | None) -> tuple[str, str]:
    """All of them by number; where they differ, those that only one has."""
    if was is None or own is None or was == own:
        return tuple("–" if one is None else str(len(one)) for one in (was, own))  # type: ignore[return-value]
    sides = ((was, own), (own, was))
    texts = []
    for one, other in sides:
        alone = sorted(set(one) - set(other))
        texts.append(f"{len(one)}" + (f", only here {'+'.join(alone)}" if alone else ""))
    return texts[0], texts[1]


def _digest(sha256: str | None) -> str:
    return (sha256 or "–")[:12]


def _how_differs(name: str, answer: Answer) -> str:
    if name == "base" and answer["base_factor"]:
        more = 100 * (answer["base_factor"] - 1)
        return f"differs: {more:+.2f} %"
    return "differs"


def _remarks(answer: Answer) -> Iterator[RenderableType]:
    if answer["pruned"]:
        names = " and ".join(answer["pruned"])
        was = "was" if len(answer["pruned"]) == 1 else "were"
        yield Text(
            f"{names} {was} pruned: the members are gone, so only groups with the same id are "
            "known to be the same; of all others it is not known what became of them."
        )
    for side in ("before", "after"):
        if lines := answer["lines_of_one"][side]:
            named = " and ".join(map(line_name, lines))
            yield Text(f"Only the run {side} looked at {named}: its groups there are left out.")


def _counts(rows: Sequence[Answer]) -> str:
    if not rows:
        return "Neither run found a group at a line of both."
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["change"]] = counts.get(row["change"], 0) + 1
    said = ", ".join(f"{counts[name]} {words}" for name, words in CHANGES.items() if name in counts)
    return f"{counted(len(rows), 'group')}: {said}"


def _overview(rows: Sequence[Answer]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("line", "before", "after"):
        table.add_column(name, no_wrap=True)
    for name in ("share", "", "members", "holdings", "base"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        was, own = row["before"], row["after"]
        table.add_row(
            line_name(row["line"]),
            was["group"] if was else "–",
            own["group"] if own else "–",
            f"{percent(was['share'], row['line']) if was else '–'} →",
            percent(own["share"], row["line"]) if own else "–",
            *_parts(row),
            _what(row),
        )
    return table


def _what(row: Answer) -> str:
    if row["change"] == "merged":
        return f"merged into {row['other']}"
    if row["change"] == "split":
        return f"split off {row['other']}"
    return CHANGES[row["change"]]


def _parts(row: Answer) -> tuple[str, str, str]:
    """The parts of a change in percentage points, rounded so that they add up as they are
    shown: the share after each part is rounded, and the parts are what lies between."""
    exact = row["share_change"]["exact"]
    if row["change"] == "unknown":
        return "–", "–", "–"
    share = Fraction(row["before"]["holdings"]) / _base(row) if row["before"] else Fraction(0)
    ways, texts = [_rounded(share)], []
    for name in ("members", "holdings", "base"):
        share += Fraction(exact[name] or 0)
        ways.append(_rounded(share))
        texts.append("–" if exact[name] is None else _points(ways[-1] - ways[-2]))
    return texts[0], texts[1], texts[2]


def _base(row: Answer) -> Fraction:
    return Fraction(row["base_before"]) or Fraction(1)


def _rounded(share: Fraction) -> int:
    thousandths: int = round(share * 100 * 10**DECIMALS)
    return thousandths


def _points(thousandths: int) -> str:
    return f"{thousandths / 10**DECIMALS:+.{DECIMALS}f}" if thousandths else "0"


def _group(row: Answer, most: int | None) -> Iterator[RenderableType]:
    """What else there is to say of one group; nothing where nothing changed but the base."""
    lines = list(_about(row, most))
    if not lines:
        return
    was, own = row["before"], row["after"]
    names = " → ".join(side["group"] for side in (was, own) if side)
    yield Text("")
    yield Text(f"{names}  {_what(row)}", style="bold")
    for line in lines:
        yield _indented(Text(line) if isinstance(line, str) else line)


def _about(row: Answer, most: int | None) -> Iterator[RenderableType | str]:
    was, own = row["before"], row["after"]
    if was and own and was["grade"] != own["grade"]:
        style = GRADE_STYLES.get(own["grade"], "")
        yield Text.assemble("grade: ", was["grade"], " → ", (own["grade"], style))
    elif not (was and own):
        yield f"grade: {(was or own)['grade']}, {counted((was or own)['accounts'], 'account')}"
    members = row["members"]
    if members and was and own:
        for name in ("came", "left"):
            if members[name]:
                yield f"{name}: {_named(members[name], most)}"
    evidence = [one for one in row["evidence"] if one["before"] != one["after"]]
    if evidence and was and own:
        yield "evidence in bits: " + ", ".join(map(_bits, evidence))


def _named(members: Sequence[Answer], most: int | None) -> str:
    shown = members if most is None else members[:most]
    said = ", ".join(f"{printable(one['account'])} ({percent(one['share'])})" for one in shown)
    rest = members[len(shown) :]
    if rest:
        share = percent(sum(one["share"] for one in rest))
        said += f" and {len(rest):,} more, who hold {share} together"
    return said


def _bits(one: Answer) -> str:
    texts = [
        "not kept" if side is None else f"{side:,.1f}" for side in (one["before"], one["after"])
    ]
    return f"{one['family']} {texts[0]} → {texts[1]}"


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2))


def write_csv(answer: Answer, stream: TextIO) -> None:
    """One row a member of each group, before and after; one row for a group whose members are
    not kept. Shares are numbers between 0 and 1, in full precision."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in answer["groups"]:
        was, own, parts = row["before"], row["after"], row["share_change"]
        ours = [
            row["line"],
            row["change"],
            was["group"] if was else "",
            own["group"] if own else "",
            was["share"] if was else "",
            own["share"] if own else "",
            *(
                "" if parts[name] is None else parts[name]
                for name in ("members", "holdings", "base")
            ),
            was["grade"] if was else "",
            own["grade"] if own else "",
        ]
        for member in _member_rows(row["members"]):
            writer.writerow([*ours, *member])


def _member_rows(members: Answer | None) -> Iterator[list[Any]]:
    if members is None:
        yield ["", "", "", ""]
        return
    for one in members["stayed"]:
        yield [one["account"], "stayed", one["share_before"], one["share"]]
    for one in members["came"]:
        yield [one["account"], "came", "", one["share"]]
    for one in members["left"]:
        yield [one["account"], "left", one["share"], ""]
