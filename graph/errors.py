"""Errors that a user can act on, apart from bugs.

    InconcertError                exit code, one clear sentence
    ├── UserError            1    a wrong argument, a missing file, a refused check
    │   ├── BusyError        1    another loader holds the store
    │   ├── DamagedError     1    a file or a table is not what it says it is
    │   └── ArchivedError    1    it cannot be told without facts that are in the archive
    ├── HeldError            5    a refresh waits for a person (`inconcert.refresh.held`)
    └── UnreachableError     4    the store cannot be reached or refuses the password

The command line prints the sentence (and the hint) on stderr and exits with the code;
anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations


class InconcertError(Exception):
    """A failure that one sentence explains. `hint` says what to do next."""

    exit_code = 1

    def __init__(self, sentence: str, hint: str | None = None) -> None:
        super().__init__(on_one_line(sentence))
        self.sentence = on_one_line(sentence)
        self.hint = None if hint is None else on_one_line(hint)


def on_one_line(text: str) -> str:
    """What a sentence quotes (a column, a file, an id) may hold line breaks: escaped here."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class UserError(InconcertError):
    """A wrong argument, a missing file, a check that refuses."""


class BusyError(UserError):
    """Another loader is writing to the store."""


class DamagedError(UserError):
    """A file or a table is damaged, or not what its name says."""


class ArchivedError(UserError):
    """What is asked rests on facts that are in the archive."""


class UnreachableError(InconcertError):
    """The store cannot be reached, or refuses the password."""

    exit_code = 4
