"""Signals that the libraries below make something else of."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from inconcert import cli
from inconcert.manners import Manners

SIGNALS = pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "inconcert: Interrupted")],
)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the command line takes over of this process is given back."""
    signs = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(sign) for sign in signs]
    # a shell's background job, as CI may be, is started with interrupts ignored
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(cli, "_heard", [])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    yield
    for sign, handler in zip(signs, before, strict=True):
        signal.signal(sign, handler)


@SIGNALS
def test_an_error_that_a_library_makes_of_a_signal_is_still_the_signal(
    number: signal.Signals,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def open_as_polars_does(_: Manners) -> None:
        try:
            signal.raise_signal(number)
        except BaseException:
            raise TypeError("'<unprintable str object>' is not a data type") from None

    monkeypatch.setattr(Manners, "open", open_as_polars_does)
    with pytest.raises(SystemExit) as end:
        cli.main(["runs"])
    assert end.value.code == code
    said = capsys.readouterr().err
    assert said.startswith(words)
    assert "Traceback" not in said


@SIGNALS
def test_a_signal_while_an_object_is_taken_away_is_not_lost(
    number: signal.Signals,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost: list[signal.Signals] = []

    class Session:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def open_and_go_on(_: Manners) -> None:
        Session()
        for _ in range(200):
            time.sleep(0.01)
        lost.append(number)

    monkeypatch.setattr(Manners, "open", open_and_go_on)
    with pytest.raises(SystemExit) as end:
        cli.main(["runs"])
    assert end.value.code == code
    assert words in capsys.readouterr().err
    assert not lost
