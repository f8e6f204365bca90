"""Running a stage as a process of its own, with the operating system's account of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph.errors import UserError

KIBIBYTES_A_MEBIBYTE = 1024


@dataclass(frozen=True)
class Stage:
    """What a process took: wall seconds, processor seconds, peak memory, and its answer."""

    name: str
    seconds: float
    processor_seconds: float
    peak_mb: float
    answer: Any


def run_stage(
    name: str, command: Sequence[str], parse: bool = True, cwd: Path | None = None
) -> Stage:
    """Run a command to its end, in a folder. UserError with its last words when it fails."""
    begun = time.perf_counter()
    # stderr goes to a file: a second pipe, full and unread, would hold the process for ever
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            list(command), stdout=subprocess.PIPE, stderr=said, text=True, cwd=cwd
        )
        assert process.stdout is not None
        answer = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        errors = said.read()
    seconds = time.perf_counter() - begun
    if process.returncode != 0:
        raise UserError(f"The stage '{name}' failed: {errors.strip()[-500:]}")
    return Stage(
        name,
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / KIBIBYTES_A_MEBIBYTE,
        json.loads(answer) if parse and answer.strip() else answer,
    )


def inconcert(*arguments: str) -> list[str]:
    """The command line that runs `inconcert` in this environment."""
    return [str(Path(sys.executable).with_name("inconcert")), *arguments]


def python(function: str, *arguments: str) -> list[str]:
    """The command line that calls `module:function` with text arguments in a new process."""
    module, name = function.split(":")
    code = f"import sys, {module} as m; m.{name}(*sys.argv[1:])"
    return [sys.executable, "-c", code, *arguments]
