"""`inconcert why A B`: what ties two accounts, or why nothing does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from inconcert.asking import find_summary, make_request, request_of
from inconcert.manners import Manners, store_option

if TYPE_CHECKING:
    from graph.store import RunSummary, Store

LEAST_BITS = 0.05
"""Below this a difference is not seen in print."""

EXAMPLE = "\b\nExample:\n  inconcert why u0016273 u0001494"


@click.command(epilog=EXAMPLE)
@click.argument("a")
@click.argument("b")
@click.option("--run", metavar="RUN", help="With the facts of this run.  [default: all facts]")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@store_option
def command(manners: Manners, a: str, b: str, run: str | None, form: str) -> None:
    """Explain what ties two accounts, and at which strength they merge, or why not."""
    store = manners.open()
    found = find_summary(store, run) if run else store.current_run()
    request = request_of(found) if run and found else make_request((), ())
    from detectors.engine.ask import Inquiry, why

    with manners.progress("why") as advance:
        advance(note="rebuilding the evidence")
        answer = why(Inquiry.open(store, request), a, b, _groups(store, found))
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(sentences(answer)))


def _groups(store: Store, found: RunSummary | None) -> list[dict[str, Any]]:
    """The groups of a run with their members, as far as they are kept."""
    if found is None:
        return []
    record = store.run(found.id)
    return [] if record.pruned else list(record.result["groups"])


def sentences(answer: dict[str, Any]) -> list[str]:
    """The answer in words, the conclusion first."""
    one, other = answer["accounts"]
    said = [answer["conclusion"]]
    if answer["unrelated"] and "unrelated" not in answer["conclusion"]:
        said.append(f"{one} and {other} were declared unrelated: no evidence joins this pair.")
    said += [f"{tie['family']}, {tie['bits']:.1f} bits: {tie['text']}." for tie in answer["direct"]]
    if not answer["direct"]:
        said.append(f"Nothing ties {one} and {other} directly.")
    elif answer["direct_bits"] - answer["fused_bits"] > LEAST_BITS:
        said.append(
            f"Together {answer['fused_bits']:.1f} bits: families that rest on one sort of fact do "
            "not add up."
        )
    merge = answer["merge"]
    if merge is None:
        said.append("They never come into one component: no chain of evidence leads between them.")
        return said
    said.append(
        f"Going from strong to weak evidence they come together at {merge['bits']:.1f} bits, in a "
        f"component of {merge['accounts']} accounts that hold {merge['share']:.2%}."
    )
    if merge["bits"] <= answer["usual_bits"]:
        said.append(
            f"That is weak: chance ties of the whole population reach {answer['usual_bits']:.1f} "
            "bits, so this joins crowds, not groups."
        )
    return said
