"""The command line: finds the commands, keeps the manners (exit codes, streams, signals)."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import pkgutil
import signal
import sys
import time
from _thread import start_new_thread
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import click

import inconcert
import inconcert.commands
from graph.errors import InconcertError
from inconcert.manners import say

EXAMPLE = "\b\nA first look, without any data of your own:\n  inconcert demo"

NOT_OURS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}
"""What the machine refuses is told in a sentence; any other failure is a fault of ours."""

_heard: list[int] = []
"""The exit codes of the signals that came: 128 and their number."""

AGAIN_SECONDS = 0.01
"""After which a signal that was lost is sent again."""


class _ReaderGoneError(Exception):
    """Whoever read our answer stopped; click must not make a user's error of it."""


class Commands(click.Group):
    """Commands are the modules of `inconcert.commands`, imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, by name."""
        return sorted(
            module.name.replace("_", "-")
            for module in pkgutil.iter_modules(inconcert.commands.__path__)
            if not module.name.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"inconcert.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.name = cmd_name
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As click does, but a closed pipe is known from other failures."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGoneError from None
        except SystemExit as stop:
            if isinstance(stop.__context__, BrokenPipeError):  # rich found it closed
                raise _ReaderGoneError from None
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command names the nearest."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.list_commands(ctx):
            near = difflib.get_close_matches(name, self.list_commands(ctx), 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"There is no command '{name}'.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    epilog=EXAMPLE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--store", "url", metavar="URL", help="The store: a folder or a server's URL.")
@click.option("-v", "--verbose", is_flag=True, help="Progress and notes even without a terminal.")
@click.version_option(inconcert.__version__, message="inconcert %(version)s")
@click.pass_context
def root(ctx: click.Context, url: str | None, verbose: bool) -> None:
    """Find accounts that act in concert.

    Load transfers, sightings and holdings into a store; detect the groups that cross a
    control line together while every member stays below it; see why.
    """
    from inconcert.manners import Manners

    ctx.obj = Manners(store_url=url, verbose=verbose)


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point `inconcert`: runs a command and exits with the contract's code."""
    signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, _interrupted)
    sys.unraisablehook = _unraisable
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return its exit code."""
    try:
        result = root.main(
            args=list(argv) if argv is not None else None,
            prog_name="inconcert",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except InconcertError as error:
        say(error.sentence, error.hint, prefix="inconcert: ")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _say_interrupted()
    except (BrokenPipeError, _ReaderGoneError):
        _silence_stdout()
        return 141
    except OSError as error:
        if error.errno not in NOT_OURS:
            raise
        where = f" ({error.filename})" if error.filename else ""
        say(
            f"{os.strerror(error.errno)}{where}; what was committed before stands, "
            "nothing of this command will be seen.",
            prefix="inconcert: ",
        )
        return 1
    except Exception as error:
        if _heard:  # Polars, for one, makes an error of its own of a signal
            return _say_interrupted() if _heard[0] == 130 else _heard[0]
        if _of_damaged_file(error):
            return _say_damaged(f"A file cannot be read: {_first_line(error)}.")
        if isinstance(error, MemoryError):  # a flipped bit makes sizes that no machine has
            return _say_damaged(f"Memory is not enough: {_first_line(error)}.")
        raise


def _of_damaged_file(error: Exception) -> bool:
    """Whether a reader of Parquet gave up on a file: it reports that in many ways."""
    return type(error).__module__.startswith(("polars", "deltalake", "_internal")) and any(
        word in str(error).lower()
        for word in ("parquet", "thrift", "out of spec", "snappy", "zstd", "arrow:schema")
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _say_damaged(sentence: str) -> int:
    hint = "If a file of the store is damaged, `inconcert store check` names it."
    say(sentence, hint, prefix="inconcert: ")
    return 1


def _terminated(_number: int, _frame: FrameType | None) -> None:
    _heard.append(143)
    raise SystemExit(143)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    _heard.append(130)
    raise KeyboardInterrupt


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised while an object is taken away; a signal must come again."""
    if _heard and isinstance(lost.exc_value, SystemExit | KeyboardInterrupt):
        with suppress(RuntimeError):  # when Python itself is ending
            start_new_thread(_send_again, (_heard[-1] - 128,))
    else:
        sys.__unraisablehook__(lost)


def _send_again(number: int) -> None:
    time.sleep(AGAIN_SECONDS)
    os.kill(os.getpid(), number)


def _say_interrupted() -> int:
    say("Interrupted; nothing half done will be seen.", prefix="inconcert: ")
    return 130


def _silence_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
