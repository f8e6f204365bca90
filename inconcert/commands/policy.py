"""`inconcert policy`: the platform's own rules, and which of them held when."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inconcert.manners import Manners, store_option

if TYPE_CHECKING:
    from datetime import datetime

    from graph.store import Store
    from review.policy import Policy
    from review.policy_history import Entry
    from review.settings import Role

EXAMPLE = """\b
Examples:
  inconcert policy template > policy.toml     rules to begin with
  inconcert policy simulate policy.toml       whom they would have touched
  inconcert policy publish policy.toml        in force 15 days from now, at the earliest
"""

MAY_PUBLISH: tuple[Role, ...] = ("senior", "operator")

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
AS = click.option("--as", "acting_as", metavar="USER", help="For somebody else, as operator.")


@click.group(epilog=EXAMPLE)
def command() -> None:
    """Say what follows from a share: lines, notices, letters, freezes.

    A policy is a TOML file. It is published, takes effect after its announcement, and holds
    until another one takes effect. Where none was published, a built-in one holds: notice at
    3 %, letter at 4 %, freeze at 5 %. FILE is a file, or - for standard input.
    """


@command.command(epilog="\b\nExample:\n  inconcert policy template > policy.toml")
def template() -> None:
    """Print a policy to begin with: the built-in one, as of the day that is soon enough."""
    from datetime import timedelta

    from graph.clock import now
    from review.policy import built_in
    from review.policy import template as text_of

    policy = built_in()
    today = now().astimezone(policy.zone).date()
    click.echo(text_of(today + timedelta(days=policy.announce_days)), nl=False)


@command.command(epilog="\b\nExample:\n  inconcert policy check policy.toml")
@click.argument("file")
@FORMAT
def check(file: str, form: str) -> None:
    """Say whether a policy is sound: whether it can be read and does not contradict itself."""
    from graph.clock import iso
    from review.policy_changes import time_text

    policy = _read(file)
    if form == "json":
        said = {"name": policy.name, "sha256": policy.sha256, "rules": len(policy.rules)}
        _print_json({**said, "effective_from": iso(policy.effective_from)})
        return
    click.echo(
        f"{_named(policy, file)} is sound: {len(policy.rules)} rules, in force from "
        f"{time_text(policy.effective_from, policy)} ({policy.time_zone}) once it is published."
    )
    click.echo(f"sha256 {policy.sha256}")


@command.command(
    epilog="\b\nExamples:\n  inconcert policy show\n  inconcert policy show --at 2026-03-01"
)
@click.option("--at", "moment", metavar="TIME", help="The one that held then.  [default: now]")
@FORMAT
@store_option
def show(manners: Manners, moment: str | None, form: str) -> None:
    """Show the policy in force, how it came into force, and what follows it."""
    from graph.clock import iso, now, parse_time
    from review.policy_history import entries, entry_in_force

    at = parse_time(moment) if moment else now()
    views = manners.open().log.views("policy")
    entry = entry_in_force(views, at)
    later = [one for one in entries(views) if one.number > entry.number]
    if form == "json":
        followed = [
            {"number": one.number, "effective_from": iso(one.policy.effective_from)}
            for one in later
        ]
        _print_json({**_as_json(entry), "followed_by": followed})
        return
    from reports.findings_text import show as print_text
    from reports.policy_text import policy_page

    print_text(policy_page(entry, later))


@command.command(
    epilog="\b\nExamples:\n  inconcert policy diff policy.toml\n"
    "  inconcert policy diff policy.toml last-year.toml"
)
@click.argument("file")
@click.argument("old", required=False, metavar="[OLD]")
@FORMAT
@store_option
def diff(manners: Manners, file: str, old: str | None, form: str) -> None:
    """Say what a policy changes of another one: of file OLD, else of the one in force."""
    from graph.clock import now
    from review.policy_changes import differences
    from review.policy_history import in_force

    new = _read(file)
    if old is None:
        before = in_force(manners.open().log.views("policy"), now())
        name = f"'{before.name}' in force" if not before.built_in else "the built-in policy"
    else:
        before = _read(old)
        name = _named(before, old)
    sentences = differences(before, new)
    if form == "json":
        digests = {"old_sha256": before.sha256, "new_sha256": new.sha256}
        _print_json({**digests, "differences": sentences})
        return
    from reports.findings_text import show as print_text
    from reports.policy_text import changes

    print_text(changes(name, _named(new, file), sentences))


@command.command(
    epilog="\b\nExamples:\n  inconcert policy publish policy.toml\n"
    '  inconcert policy publish policy.toml --announced 2026-06-01 --filed "notice board, no. 12"'
)
@click.argument("file")
@click.option("--announced", metavar="TIME", help="When its holders were told.  [default: now]")
@click.option("--filed", default="", metavar="REF", help="Where the announcement is filed.")
@AS
@FORMAT
@store_option
def publish(
    manners: Manners, file: str, announced: str | None, filed: str, acting_as: str | None, form: str
) -> None:
    """Record a policy that takes effect in future.

    Refused where a rule that is new or changed was announced too late (15 days before, if the
    policy does not say more), where it reaches back, and where it takes effect no later than
    the one before it.
    """
    if announced and not filed.strip():
        raise click.UsageError("--announced says that it was told before: it needs --filed.")
    text, policy = _read_both(file)
    told = _time(policy, announced) if announced else None
    from inconcert.reviewing import Queue
    from review.policy_history import publish as record

    queue = Queue.of(manners, acting_as)
    who = queue.person
    entry = queue.act(
        lambda desk: record(
            desk, who.acting("publish a policy", "policy", *MAY_PUBLISH), text, told, filed
        )
    )
    _say_recorded(entry, form)


@command.command(
    epilog="\b\nExample:\n  inconcert policy adopt rules-of-2025.toml "
    '--announced 2024-12-01 --filed "circular 7"'
)
@click.argument("file")
@click.option("--announced", required=True, metavar="TIME", help="When its holders were told.")
@click.option("--filed", required=True, metavar="REF", help="Where the announcement is filed.")
@AS
@FORMAT
@store_option
def adopt(
    manners: Manners, file: str, announced: str, filed: str, acting_as: str | None, form: str
) -> None:
    """Record rules that were in force before the store was made; they are marked so."""
    text, policy = _read_both(file)
    told = _time(policy, announced)
    from inconcert.reviewing import Queue
    from review.policy_history import adopt as record

    queue = Queue.of(manners, acting_as)
    who, made = queue.person, queue.store.properties.created
    entry = queue.act(
        lambda desk: record(
            desk, who.acting("adopt a policy", "policy", *MAY_PUBLISH), text, told, filed, made
        )
    )
    _say_recorded(entry, form)


@command.command(epilog="\b\nExample:\n  inconcert policy simulate policy.toml --runs 30")
@click.argument("file")
@click.option(
    "--runs",
    "most",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="The newest so many.",
)
@FORMAT
@store_option
def simulate(manners: Manners, file: str, most: int, form: str) -> None:
    """Say how many accounts and groups each line would have touched in past runs.

    Each rule counts as if it had held at that time. Groups are counted where a run looked for
    them at that very line (`inconcert detect --line`). Nothing is changed.
    """
    from graph.errors import UserError

    policy, store = _read(file), manners.open()
    runs = store.runs()[:most]
    if not runs:
        raise UserError("No detection has been run on this store.", "Run `inconcert detect`.")
    answer = {"sha256": policy.sha256, **_simulated(manners, store, policy, runs)}
    if form == "json":
        _print_json(answer)
        return
    from reports.findings_text import show as print_text
    from reports.policy_text import simulation

    print_text(simulation(answer))


def _simulated(manners: Manners, store: Store, policy: Policy, runs: Any) -> dict[str, Any]:
    with manners.progress("simulate") as advance:
        from review.policy_simulation import simulate as over

        return over(store, policy, runs, lambda note: advance(note=note))


def _text(file: str) -> str:
    """What a file says. UserError where it cannot be read."""
    from graph.errors import UserError

    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"'{file}' cannot be read: {error.strerror}.") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"'{file}' is not UTF-8 text.") from None


def _read(file: str) -> Policy:
    return _read_both(file)[1]


def _read_both(file: str) -> tuple[str, Policy]:
    """A file's text, and the policy that it says."""
    from review.policy import parse

    text = _text(file)
    return text, parse(text, "standard input" if file == "-" else file)


def _named(policy: Policy, file: str) -> str:
    return f"'{policy.name}' ({'standard input' if file == '-' else file})"


def _time(policy: Policy, text: str) -> datetime:
    """A time that a user gives, in the policy's time zone where it names none."""
    from graph.clock import parse_time
    from review.policy_values import moment_in

    try:
        return moment_in(policy.zone, text)
    except ValueError:
        return parse_time(text)


def _say_recorded(entry: Entry, form: str) -> None:
    from review.policy_changes import time_text

    if form == "json":
        _print_json(_as_json(entry))
        return
    policy = entry.policy
    held = "was in force" if entry.origin == "adopted" else "takes effect at"
    since = "from " if entry.origin == "adopted" else ""
    click.echo(
        f"Policy {entry.number}, '{policy.name}', {held} {since}"
        f"{time_text(policy.effective_from, policy)} ({policy.time_zone}); "
        f"{entry.origin} as event {entry.event}."
    )
    click.echo(f"sha256 {policy.sha256}")
    for sentence in entry.differences:
        click.echo(f"  {sentence}")


def _as_json(entry: Entry) -> dict[str, Any]:
    from graph.clock import iso

    policy = entry.policy
    return {
        "number": entry.number,
        "name": policy.name,
        "origin": entry.origin,
        "sha256": policy.sha256,
        "effective_from": iso(policy.effective_from),
        "announced": entry.announced and iso(entry.announced),
        "filed": entry.filed,
        "recorded_at": entry.recorded_at or None,
        "user": entry.user,
        "event": entry.event,
        "differences": list(entry.differences),
        "policy": policy.canonical,
    }


def _print_json(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
