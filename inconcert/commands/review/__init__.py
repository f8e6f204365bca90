"""`inconcert review`: from a finding to a fair decision."""

from __future__ import annotations

import click

from inconcert.commands.review import appeals, handle, log, orders, queue, work

EXAMPLE = """\b
A day at the queue:
  inconcert review fill                        the last run's findings become cases
  inconcert review list --overdue              what is late
  inconcert review claim g1a2b3                take one
  inconcert review show g1a2b3                 who, how much, why, and what speaks against it
  inconcert review decide g1a2b3 confirmed --words "…"
"""


@click.group(epilog=EXAMPLE)
def command() -> None:
    """Decide fairly about findings: cases, second persons, orders, a log that can be checked.

    A finding becomes a case. People look at it, hear the holder, and decide; what the policy
    says follows. Every step is an event of a log that anyone can recompute.
    """


for module in (queue, handle, appeals, work, orders, log):
    for subcommand in module.COMMANDS:
        command.add_command(subcommand)
