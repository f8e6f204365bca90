"""Custodian: customers of one custodian, exchange or shop."""

from __future__ import annotations

from detectors.doubts.case import MARKS, Case, Doubt

DECLARED = ("custodian", "exchange", "merchant")
NOT_SERVING = ("issuer", "treasury", "payroll")

FEWEST_CUSTOMERS = 50
"""An account that nobody has declared is taken for a custodian from so many customers on …"""

FEWEST_OF_MOVES = 0.1
"""… and it must be in this part of the members' transfers."""


class Custodian:
    """One custodian serves most members, and others like them."""

    name = "custodian"
    likeness = MARKS
    explains = ("funding", "funnel", "lockstep", "onset", "provenance", "refund")
    help = (
        "Customers of one custodian are paid first, most and last by it, and at the same time "
        "where it settles for many at once. It does not bring about that they deal with each "
        "other. Who gave the orders, only the custodian knows."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where most members deal with one custodian, and not most of everybody do, and
        their dealings with each other do not suffice."""
        if case.stands_without(self.explains):
            return None
        for hub, dealing, transfers in case.partners.select(
            "partner", "dealing", "transfers"
        ).iter_rows():
            if not case.most(dealing):
                return None
            role = case.known.roles[hub]
            if role in NOT_SERVING or transfers < FEWEST_OF_MOVES * _moves_beside(case, hub):
                continue
            customers = case.customers(hub)
            many = customers >= max(FEWEST_CUSTOMERS, 2 * case.size)
            if (role in DECLARED or many) and case.rare(dealing, customers):
                return self._said(case, hub, dealing, customers)
        return None

    def _said(self, case: Case, hub: int, dealing: int, customers: int) -> Doubt:
        name = case.known.names[hub]
        shop = case.known.roles[hub] == "merchant"
        doing = "its refunds and promotions" if shop else "it settles for many at once"
        return case.doubt(
            "marketplace" if shop else self.name,
            f"{dealing} of the {case.size} members are customers of {name}, which has "
            f"{customers}: what they have in common may be its doing ({doing}).",
            f"Who gave {name} the orders for these payments, and from where.",
            self.explains,
        )


def _moves_beside(case: Case, hub: int) -> int:
    """How many transfers members have in all, without the hub's own if it is one of them."""
    sent = case.moves["sent"] & (case.moves["src"] != hub)
    received = case.moves["received"] & (case.moves["dst"] != hub)
    return int((sent | received).sum())


EXPLANATION = Custodian()
