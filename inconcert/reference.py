"""The reference of all commands as Markdown: `python -m inconcert.reference > docs/commands.md`.

It is what `--help` says, so it cannot tell another story than the program.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

WIDTH = 96
"""Columns of the help texts, whatever terminal this runs on."""

HEAD = """\
# Commands

Generated from the program's own help by `python -m inconcert.reference > docs/commands.md`;
what this page says, `inconcert COMMAND --help` says too.
"""


def commands(parent: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command below a context's own, as the user types it, with a context for its help."""
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None:
            continue
        context = click.Context(command, parent, name, terminal_width=WIDTH)
        yield context.command_path, command, context
        yield from commands(context)


def whole_tree() -> Iterator[tuple[str, click.Command, click.Context]]:
    """`inconcert` itself and every command and subcommand."""
    from inconcert.cli import root

    manners = {**root.context_settings, "terminal_width": WIDTH}
    context = click.Context(root, info_name="inconcert", **manners)
    yield "inconcert", root, context
    yield from commands(context)


def reference() -> str:
    """The page: the help of every command, then what each detector looks for."""
    parts = [HEAD]
    for path, command, context in whole_tree():
        level = "#" * min(path.count(" ") + 2, 4)
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"{level} {path}\n\n```text\n{text}\n```\n")
    parts.append("## Detectors\n")
    parts += [f"**{name}**: {text}\n" for name, text in detector_helps()]
    return "\n".join(parts)


def detector_helps() -> list[tuple[str, str]]:
    """Name and help of every detector, by name."""
    from detectors.family import detectors, per_account_checks

    known = {**detectors(), **per_account_checks()}
    return [(name, known[name].help) for name in sorted(known)]


if __name__ == "__main__":
    sys.stdout.write(reference())
