"""`inconcert doctor`: is everything as it should be, and what is to be done if not."""

from __future__ import annotations

import click

from inconcert.manners import Manners, store_option


@click.command(epilog="\b\nExamples:\n  inconcert doctor\n  inconcert doctor --deep --format json")
@click.option("--deep", is_flag=True, help="Read everything: every file, every event.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(manners: Manners, deep: bool, form: str) -> int:
    """Look at the store and all around it: what is wrong, and what to do.

    The store and its files, disks and when they are full, clocks, the key, versions, the policy
    in force, settings, the last refresh, the queue and its log. Each check stands alone, so a
    store that does not open gets a page too. Changes nothing.

    Exit code 0 where nothing is a problem (warnings are none), else 1; 4 where the store cannot
    be reached.
    """
    from inconcert.doctor import Site, examine, exit_code

    site = Site(manners, deep)
    with manners.progress("Looking") as advance:
        site.tell = lambda note: advance(note=note, seldom=True)
        found = list(examine(site))
    code = exit_code(found, site)
    if form == "json":
        import json

        answer = {"store": site.url, "deep": deep, "checks": [one.as_json() for one in found]}
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    else:
        from reports.doctor_text import doctor_text

        click.echo(doctor_text([one.as_json() for one in found]))
    return code
