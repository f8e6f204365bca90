"""`[[feed]]` tables: what they say, and what is refused as they are read."""

from __future__ import annotations

import pytest

from graph.errors import UserError
from inconcert.settings import parse
from loaders.feeds import feeds

FOLDER = '[[feed]]\nname = "drop"\nkind = "transfers"\nfolder = "drop"\n'


def refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse(text)
    return caught.value.sentence


def test_feeds_in_their_order() -> None:
    settings = parse(FOLDER + FOLDER.replace('"drop"', '"other"'))
    assert [(feed.name, feed.kind) for feed in feeds(settings.feed)] == [
        ("drop", "transfers"),
        ("other", "transfers"),
    ]


def test_options_have_the_names_of_the_command_line() -> None:
    text = FOLDER.replace("transfers", "holdings") + (
        'map = ["amount=balance", "account=user"]\nsource = "bank"\ndistinct = true\n'
        'correct = true\nlower = true\nshift = 18\ntime_unit = "ms"\nat = 2026-05-01\n'
        "complete = true\n"
    )
    options = parse(text).feed[0].options()
    assert options.map == ("amount=balance", "account=user")
    assert (options.source, options.shift, options.time_unit) == ("bank", 18, "ms")
    assert all((options.distinct, options.correct, options.lower, options.complete))
    assert options.at is not None
    assert options.at.isoformat() == "2026-05-01T00:00:00+00:00"
    assert not options.dry_run


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FOLDER + FOLDER, "two feeds are named 'drop'"),
        (FOLDER.replace("folder =", "folde ="), "a feed says one of"),
        (FOLDER.replace("transfers", "transfer"), "there is no kind of fact 'transfer'"),
        (FOLDER + "settel = 5\n", "settel: Extra inputs are not permitted"),
        (FOLDER + 'map = "sender=from"\n', "Transfers have no field 'sender'"),
        (FOLDER + "complete = true\n", "complete is for holdings"),
        (FOLDER + 'pattern = "../*"\n', "is to stay below the folder"),
        (FOLDER + 'pattern = "/tmp/*"\n', "is to stay below the folder"),
        (FOLDER + 'done = "{name}"\n', "the name of another file"),
        (FOLDER + 'done = "a/b"\n', "the name of another file"),
        (FOLDER.replace('"drop"\nk', '"a/b"\nk'), "name: String should match pattern"),
        (FOLDER + "settle = -1\n", "settle: Input should be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    said = refusal(text)
    assert said.startswith("inconcert.toml: feed")
    assert words in said
