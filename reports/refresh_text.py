"""A refresh in words: what it took in, found and did, or why it is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from graph.log import Doc
from review import refreshes

FATES = ("read", "loaded", "known", "conflicts", "quarantined")


def refresh_text(refresh: Doc, deliveries: Sequence[Doc]) -> str:
    """A refresh as a few lines. `deliveries`: what it took."""
    stages = refresh["stages"]
    lines = [f"Refresh {refresh['number']} ({refresh['sort']}): {_state(refresh)}."]
    for feed in sorted({one["feed"] for one in deliveries}):
        rows = [one for one in deliveries if one["feed"] == feed]
        counts = {fate: sum(one[fate] for one in rows) for fate in FATES}
        refused = counts["conflicts"] + counts["quarantined"]
        lines.append(
            f"  {feed}: {_count(len(rows), 'batch', 'batches')} of {counts['read']:,} rows, "
            f"{counts['loaded']:,} new" + (f", {refused:,} refused" if refused else "") + "."
        )
    if "load" in stages:
        out = stages["load"]["out"]
        lines.append(f"  As of {out['as_of']}, known at batch {out['known_at']}.")
    if "detect" in stages:
        lines.append(f"  {_findings(stages['detect']['out'])}")
    lines += [f"  Alarm: {one['text']} {one['hint']}" for one in refresh["alarms"]]
    if "released" in refresh:
        lines.append(f"  Released by {refresh['released']['by']}, {refresh['released']['at']}.")
    if "queue" in stages:
        out = stages["queue"]["out"]
        said = ", ".join(f"{count} {change}" for change, count in out["cases"].items())
        said = f"{said or 'no case'}.".replace("_", " ")
        lines.append(f"  Queue: {out.get('passed_over') or said}")
    if "orders" in stages:
        waiting = stages["orders"]["out"]["waiting"]
        said = ", ".join(f"{count} {action}" for action, count in waiting.items())
        lines.append(f"  Orders that wait for an answer: {said or 'none'}.")
    lines += [f"  {said}" for said in _retained(stages.get("retention", {"out": {}})["out"])]
    seconds = {name: stages[name]["seconds"] for name in refreshes.STAGES if name in stages}
    if seconds:
        said = ", ".join(f"{name} {took:.1f}" for name, took in seconds.items())
        lines.append(f"  Seconds: {said}.")
    return "\n".join(lines)


def _retained(out: Doc) -> list[str]:
    lines = []
    if out.get("archived"):
        lines.append(f"Archived: {', '.join(out['archived'])}.")
    if why := out.get("kept_back") or out.get("failed"):
        lines.append(f"Not archived: {why}")
    return lines


def refreshes_table(found: Sequence[Doc]) -> Table:
    """Refreshes, one a row."""
    table = Table(box=None)
    for name in ("refresh", "sort", "begun", "state", "as of", "groups", "alarms"):
        table.add_column(name, overflow="fold")
    for one in found:
        stages = one["stages"]
        table.add_row(
            str(one["number"]),
            one["sort"],
            one["begun"],
            one["state"],
            stages["load"]["out"]["as_of"] if "load" in stages else "",
            str(len(stages["detect"]["out"]["groups"])) if "detect" in stages else "",
            ", ".join(alarm["alarm"] for alarm in one["alarms"]),
        )
    return table


def _state(refresh: Doc) -> str:
    if refresh["state"] == refreshes.RUNNING:
        stage = refreshes.next_stage(refresh)
        return f"not ended, next is {stage}"
    if refresh["state"] == refreshes.DROPPED:
        dropped = refresh["dropped"]  # by the next one, which says so, or by a person
        said = dropped.get("reason", "").removesuffix(".")
        return f"dropped. {said}" if said else f"dropped by {dropped['by']}"
    return str(refresh["state"])


def _findings(out: Doc) -> str:
    lines: Counter[float] = Counter(group["line"] for group in out["groups"])
    found = ", ".join(f"{count} over {line * 100:g} %" for line, count in sorted(lines.items()))
    return f"Groups: {found}." if found else "No group."


def _count(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
