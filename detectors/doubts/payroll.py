"""Payroll: staff of one employer."""

from __future__ import annotations

import polars as pl

from detectors.doubts.case import MARKS, Case, Doubt


class Payroll:
    """One payer pays most members, and others too, on paydays."""

    name = "payroll"
    likeness = MARKS
    explains = ("clique", "flow", "funding", "funnel", "lockstep", "onset", "provenance")
    help = (
        "Staff of one employer are paid on the same days, begin together, deal with each other "
        "and sit behind one line. It does not bring about that they pass on what comes in, nor "
        "that they share devices. Whether an employer has its staff act for it, these facts "
        "cannot tell."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where one payroll takes in most members, and not most of everybody."""
        found = self._payer(case)
        if found is None:
            return None
        payer, paid = found
        of_all = case.customers(payer)
        if not case.rare(paid, of_all):
            return None
        name = case.known.names[payer]
        return case.doubt(
            self.name,
            f"{paid} of the {case.size} members are paid by {name} on paydays, as {of_all} "
            "accounts are or deal with it otherwise: staff of one employer deal with each other "
            "too.",
            f"The contracts of the members with {name}, and who decides over their accounts.",
            self.explains,
        )

    @staticmethod
    def _payer(case: Case) -> tuple[int, int] | None:
        """Who pays most members wages, and how many of them."""
        declared = case.partners.filter(
            pl.col("partner").is_in(case.known.with_role("payroll").implode())
        ).select(payer="partner", members="paid")
        inferred = (
            case.facts.exonerated.payers(case.members)
            .filter(pl.col("reason") == "payroll")
            .select(payer="src", members="members")
        )
        both = pl.concat([declared, inferred], how="vertical_relaxed").sort(
            ["members", "payer"], descending=[True, False]
        )
        if not len(both) or not case.most(int(both["members"][0])):
            return None
        return int(both["payer"][0]), int(both["members"][0])


EXPLANATION = Payroll()
