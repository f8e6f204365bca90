"""Errors for users are one sentence, whatever they quote."""

from graph.errors import UserError


def test_what_an_error_quotes_does_not_break_its_line():
    error = UserError("The file has no column 'a'; it has \n, x\x00y and größe.", "Map\r\nit.")
    assert error.sentence == r"The file has no column 'a'; it has \n, x\x00y and größe."
    assert error.hint == r"Map\r\nit."
    assert str(error) == error.sentence
