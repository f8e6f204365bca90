"""`inconcert show GROUP`: one group in full, and what if its members were others."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import click

from graph.errors import UserError
from inconcert.asking import find_group, request_of
from inconcert.manners import Manners, store_option

EXAMPLE = """\b
Examples:
  inconcert show 4f2a            the group whose id begins so, of the latest run that has it
  inconcert show 4f2a --without u0016273
"""


@click.command(epilog=EXAMPLE)
@click.argument("group")
@click.option("--run", metavar="RUN", help="Look in this run only.")
@click.option("--without", multiple=True, metavar="ACCOUNT", help="What if it were no member?")
@click.option("--with", "also", multiple=True, metavar="ACCOUNT", help="What if it were one?")
@click.option("--all", "everyone", is_flag=True, help="All members, not the first 20.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(
    manners: Manners,
    group: str,
    run: str | None,
    without: tuple[str, ...],
    also: tuple[str, ...],
    everyone: bool,
    form: str,
) -> None:
    """Show a group: reasons, doubts, members; --without and --with judge it anew."""
    store = manners.open()
    record, found = find_group(store, group, run)
    answer: dict[str, Any] = dict(found)
    if without or also:
        from detectors.engine.ask import Inquiry, what_if

        members = {member["account"] for member in answer["members"]}
        with manners.progress("show") as advance:
            advance(note="rebuilding the evidence")
            inquiry = Inquiry.open(store, request_of(record))
        taken = inquiry.evidence.snapshot
        names = taken.accounts["account"]
        gone = {str(names[taken.number_of(account)]) for account in without}
        come = {str(names[taken.number_of(account)]) for account in also}
        if strangers := sorted(gone - members):
            raise UserError(f"{strangers[0]} is no member of this group.")
        line = Fraction(
            record.result["run"]["exact_lines"][record.result["lines"].index(answer["line"])]
        )
        answer["what_if"] = what_if(inquiry, sorted((members - gone) | come), line)
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    from reports.findings_text import finding
    from reports.findings_text import show as print_text

    print_text(finding(answer, None if everyone else 20))
    if "what_if" in answer:
        click.echo("\n" + "\n".join(_sentences(answer, answer["what_if"])))


def _sentences(group: dict[str, Any], changed: dict[str, Any]) -> list[str]:
    over = "at or over" if changed["over_line"] else "below"
    judged = "still reported" if changed["reported"] else "no longer reported"
    graded = changed["grade"]
    if changed["reported"] and graded != group["grade"]:
        graded += f" instead of {group['grade']}"
    said = [
        f"What if: {changed['accounts']} accounts hold {changed['share']:.4%} ({over} the line of "
        f"{changed['line']:.4g}); strength {changed['strength_bits']:.1f} bits instead of "
        f"{group['strength_bits']:.1f}, {changed['needed_bits']:.0f} needed: {judged}"
        + (f", {graded}." if changed["reported"] else "."),
        f"For it: {changed['because']}",
        f"Against it: {changed['against']}",
    ]
    before = {doubt["explanation"] for doubt in group["doubts"]}
    for doubt in changed["doubts"]:
        new = "" if doubt["explanation"] in before else " (new)"
        said.append(f"Doubt{new}, {doubt['explanation']}: {doubt['text']}")
    gone = sorted(before - {doubt["explanation"] for doubt in changed["doubts"]})
    if gone:
        said.append(f"No longer open: {', '.join(gone)}.")
    return said
