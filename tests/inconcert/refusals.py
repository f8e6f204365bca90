"""How a command refuses bad use."""

from __future__ import annotations


def refused(answer, code, *words):
    """One sentence, nothing on stdout."""
    exit_code, out, err = answer
    assert exit_code == code, err
    assert out == ""
    [said] = err.strip().splitlines()
    assert said.startswith("inconcert: ")
    for word in words:
        assert word in said
