"""Orders by webhook: posted, signed, tried again, delivered at least once.

A request carries one order as JSON. `Idempotency-Key` is the order's key: what comes twice is
to be carried out once. `Inconcert-Signature: t=SECONDS,v1=HEX` is an HMAC-SHA256, under the
content of the key file, of `SECONDS.BODY`; SECONDS is the machine's own time, whatever
INCONCERT_NOW says, for the receiver refuses what is old by its own clock.

Tried again: where there is no connection, and after 5xx and 429. Any other answer but 2xx is
final, a redirection too: it is not followed. An order that a receiver fails at holds up none but
later orders about the same account: else a freeze could come after its lifting.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tenacity

from graph.errors import UnreachableError, UserError
from graph.log import Actor, Desk, Doc, Draft
from graph.store import Store
from review.cases import ORDER, subject
from review.log import act
from review.outbox import as_given
from review.people import Person
from review.settings import ReviewSettings

SHORTEST_KEY = 16
"""Characters of a key file."""

LONGEST_PAUSE = 60.0
"""Seconds between two attempts, also where the platform asks for more."""

MOST_FAILED = 3
"""After so many orders that could not be delivered, each of the others is tried once only."""

MOST_REFUSED = 10
"""After so many orders that the platform refused, no more are sent."""


@dataclass(frozen=True)
class Hook:
    """Where orders go, and how."""

    url: str
    key: bytes
    timeout: float
    attempts: int
    pause: float

    @property
    def host(self) -> str:
        """The receiver, as a sentence names it."""
        return urlsplit(self.url).netloc


@dataclass
class Sent:
    """What became of a sending: keys that were delivered, sentences about those refused and
    those that the receiver failed at, and keys that wait behind one of these."""

    delivered: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


class NoReceiverError(UnreachableError):
    """The receiver cannot be reached, or asks for a pause: no order would fare better."""


class NotDeliveredError(UnreachableError):
    """The receiver is there, and fails at an order."""


def hook_of(settings: ReviewSettings) -> Hook:
    """The webhook that the settings name. UserError where there is none, or no key to sign."""
    if settings.webhook is None:
        raise UserError("There is no webhook.", "Set it in inconcert.toml, [review] webhook.")
    if settings.webhook_key_file is None:
        raise UserError(
            "Orders are sent signed, and there is no key.",
            "Set it in inconcert.toml, [review] webhook_key_file.",
        )
    return Hook(
        settings.webhook,
        _key(settings.webhook_key_file.expanduser()),
        settings.webhook_timeout,
        settings.webhook_attempts,
        settings.webhook_pause,
    )


def _key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise UserError(
            f"The webhook's key file {path} cannot be read: {error.strerror}."
        ) from None
    if len(key) < SHORTEST_KEY:
        raise UserError(f"The webhook's key in {path} is shorter than {SHORTEST_KEY} characters.")
    return key


def signature(key: bytes, moment: int, body: bytes) -> str:
    """What `Inconcert-Signature` says of a body at a time in Unix seconds."""
    signed = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


def send(store: Store, person: Person, hook: Hook, orders: Sequence[Doc]) -> Sent:
    """Deliver orders in their order, and record what was delivered: an event for each case.

    NoReceiverError where the receiver cannot be reached, or asks for a pause, attempt after
    attempt; what was delivered before is recorded.
    """
    actor = act(store, person, lambda _: _allowed(person))
    done = Sent()
    held: set[str] = set()
    """Accounts with an order that was not taken."""
    for case, of_case in groupby(orders, key=lambda order: str(order["case"])):
        keys: list[str] = []

        def record(desk: Desk, case: str = case, keys: list[str] = keys) -> None:
            new = [key for key in keys if "sent" not in (desk.get(ORDER, key) or {})]
            if new:
                desk.record(actor, Draft(subject(case), "sent", {"keys": new}))

        try:
            for order in of_case:
                if order["account"] in held:
                    done.waiting.append(order["key"])
                    continue
                tries = hook if len(done.failed) < MOST_FAILED else replace(hook, attempts=1)
                try:
                    refusal = deliver(tries, order)
                except NotDeliveredError as error:
                    done.failed.append(f"Order {order['key']}: {error.sentence}")
                    held.add(order["account"])
                    continue
                if refusal:
                    done.refused.append(f"Order {order['key']}: {refusal}")
                    held.add(order["account"])
                    if len(done.refused) >= MOST_REFUSED:
                        return done
                else:
                    keys.append(order["key"])
        finally:
            if keys:
                act(store, person, record)
            done.delivered += keys
    return done


def _allowed(person: Person) -> Actor:
    return person.acting("send orders", "log", "operator", "senior", "investigator")


class _TryAgainError(Exception):
    """What may go better soon. `after`: how many seconds the receiver asks for; `others`: whether
    other orders would fare no better."""

    def __init__(self, why: str, after: float = 0.0, *, others: bool = False) -> None:
        super().__init__(why)
        self.after, self.others = after, others


def deliver(hook: Hook, order: Doc) -> str | None:
    """Post an order, again where that may help. Returns why it was refused; None where it was
    taken. NoReceiverError where no attempt was answered for good; NotDeliveredError where that
    may be for the order's sake."""
    body = json.dumps(as_given(order), ensure_ascii=False, separators=(",", ":")).encode()
    growing = tenacity.wait_exponential_jitter(
        multiplier=hook.pause, max=LONGEST_PAUSE, jitter=hook.pause
    )

    def pause(state: tenacity.RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        asked = failed.after if isinstance(failed, _TryAgainError) else 0.0
        return max(growing(state), min(asked, LONGEST_PAUSE))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TryAgainError),
        stop=tenacity.stop_after_attempt(hook.attempts),
        wait=pause,
        reraise=True,
    )
    try:
        return retrying(_post, hook, str(order["key"]), body)
    except _TryAgainError as error:
        kind = NoReceiverError if error.others else NotDeliveredError
        raise kind(
            f"{hook.host} does not take orders: {error}.",
            "What was delivered before is recorded; `inconcert review orders --send` sends the "
            "rest.",
        ) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: a post that is sent elsewhere comes without its order."""

    def redirect_request(self, *_: Any) -> None:
        """None: the redirection is the answer."""
        return


def _post(hook: Hook, key: str, body: bytes) -> str | None:
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "Inconcert-Signature": signature(hook.key, int(time.time()), body),
        "User-Agent": "inconcert",
    }
    request = urllib.request.Request(hook.url, body, headers, method="POST")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=hook.timeout):
            return None
    except urllib.error.HTTPError as answer:
        with answer:
            why = f"it answers {answer.code} {answer.reason}".strip()
            too_many = answer.code == http.HTTPStatus.TOO_MANY_REQUESTS
            if too_many or answer.code >= 500:
                after = _seconds(answer.headers.get("Retry-After"))
                raise _TryAgainError(why, after, others=too_many) from None
            return f"{hook.host} refuses it: {why}."
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise NoReceiverError(
                f"{hook.host} is not who it says it is: {reason.verify_message}."
            ) from None
        cut = isinstance(reason, BrokenPipeError | ConnectionResetError)
        nobody = isinstance(error, urllib.error.URLError) and not cut
        raise _TryAgainError(_said(reason), others=nobody) from None


def _said(reason: Any) -> str:
    """Why there was no answer, in words."""
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__).rstrip(".")


def _seconds(text: str | None) -> float:
    """What `Retry-After` says, where it says seconds."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0.0
