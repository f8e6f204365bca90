"""Help: every command has one, with an example, and it starts without what computes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inconcert.reference import whole_tree

PATHS = [path.split()[1:] for path, _, _ in whole_tree()]
HEAVY = ("polars", "pyarrow", "numpy", "numba", "narwhals", "deltalake", "networkx", "matplotlib")


@pytest.mark.parametrize("words", PATHS, ids=[" ".join(path) or "inconcert" for path in PATHS])
def test_every_help_shows_an_example(call, words):
    code, out, err = call(*words, "--help")
    assert (code, err) == (0, "")
    typed = " ".join(["inconcert", *(words or ["demo"])])
    examples = [f"{line.strip()} " for line in out.splitlines() if line.startswith("    ")]
    assert any(line.startswith(f"{typed} ") for line in examples)
    assert call(*words, "-h")[1] == out


def test_no_help_imports_what_computes():
    """One process asks for every help; the first import of anything heavy fails it."""
    script = f"""
import sys
from inconcert.cli import run
for words in {PATHS!r}:
    assert run([*words, "--help"]) == 0
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    assert not loaded, (words, loaded)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_version(call):
    code, out, _ = call("--version")
    assert code == 0
    assert out.startswith("inconcert ")


def test_no_command_is_answered_with_the_help(call):
    code, out, err = call()
    assert code in (0, 2)
    assert "Usage: inconcert" in out + err
