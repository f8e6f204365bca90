"""Findings as CSV: one row a member."""

from __future__ import annotations

import csv
from typing import TextIO

from reports.wording import Result

COLUMNS = ("group", "line", "group_share", "grade", "account", "share", "share_without")


def write_csv(result: Result, stream: TextIO) -> None:
    """Write a result (schema 1) as the contract's CSV: a header, then one row a member.

    Shares and lines are numbers between 0 and 1, in full precision.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for group in result["groups"]:
        ours = [group["id"], group["line"], group["share"], group["grade"]]
        for member in group["members"]:
            writer.writerow([*ours, member["account"], member["share"], member["share_without"]])
