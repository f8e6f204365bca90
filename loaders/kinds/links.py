"""Links: a person declared that two accounts have one owner, or nothing to do with each other."""

from loaders.fields import Source, account, choice, text, time

VERDICTS = ("same_owner", "unrelated")

SOURCE = Source(
    kind="links",
    help="Two accounts declared to have the same owner, or to be unrelated.",
    example="inconcert load links links.csv --map a=left,b=right,verdict==same_owner",
    fields=(
        account("a", "one account"),
        account("b", "the other account"),
        choice("verdict", ", ".join(VERDICTS), VERDICTS, required=True),
        text("by", "who declared it"),
        text("why", "on what grounds"),
        time("from", "since when it holds", column="valid_from"),
        time("until", "until when it holds", column="valid_until"),
    ),
)
