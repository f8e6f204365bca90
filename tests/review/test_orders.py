"""Orders out and back: JSON Lines, acknowledgements, a webhook that is a real server."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time
from collections import Counter

import pytest
from queue_world import NOW, TEN, case_of, person

from graph.errors import UnreachableError, UserError
from graph.log import Draft
from inconcert.settings import parse
from review.log import project
from review.outbox import given, read_answers
from review.verify import verify
from review.webhook import Hook, deliver, hook_of, send

KEY = b"a key that both sides have"

pytestmark = pytest.mark.usefixtures("named")


def lines(call, *words):
    code, out, err = call("review", "orders", *words)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def orders_of(store):
    return store.log.views("order")


def answer(path, *answers):
    path.write_text("\n".join(json.dumps(one) for one in answers), encoding="utf-8")
    return path


# Out


def test_orders_are_given_out_as_json_lines(call, full):
    found = lines(call)
    assert Counter((one["action"], one["rule"]) for one in found) == {
        ("freeze", "account-freeze"): 1,
        ("letter", "account-letter"): 1,
        ("letter", "group-letter"): 10,
    }
    assert all(
        list(one) == ["key", "action", "account", "case", "rule", "policy", "at"] for one in found
    )
    assert {one["account"] for one in found} == {"whale", "large", *TEN}
    assert lines(call) == found
    assert [one["account"] for one in lines(call, "--action", "freeze")] == ["whale"]
    case = case_of(full, "u03")
    assert {one["account"] for one in lines(call, "--case", case[:6])} == set(TEN)


def test_the_oldest_order_comes_first_and_a_freeze_before_its_lifting():
    plain = {"case": "c", "account": "x", "rule": None, "policy": "p"}
    found = [
        {**plain, "key": "4", "action": "unfreeze", "at": "2026-01-01T00:00:00.5Z"},
        {**plain, "key": "2", "action": "unfreeze", "at": "2026-01-01T00:00:00Z"},
        {**plain, "key": "3", "action": "freeze", "at": "2026-01-01T00:00:00Z"},
        {**plain, "key": "1", "action": "freeze", "at": "2025-12-31T23:59:59.9Z"},
    ]
    assert [one["key"] for one in given(found)] == ["1", "3", "2", "4"]


def test_a_table_for_people(call, full):
    out = call("review", "orders", "--format", "table")[1]
    assert "whale" in out
    assert "account-freeze" in out
    assert len(json.loads(call("review", "orders", "--format", "json")[1])) == 12


def test_a_masked_store_gives_masked_ids(call, masked):
    found = lines(call)
    assert len(found) == 12
    assert all(one["account"].startswith("m_") for one in found)


def test_an_action_that_there_is_not(call, full):
    code, _, err = call("review", "orders", "--action", "ban")
    assert code == 1
    assert "There are notice, letter, freeze, unfreeze." in err


# Back


def test_what_was_carried_out_is_recorded_once(call, full, tmp_path):
    freeze = lines(call, "--action", "freeze")[0]
    letter = lines(call, "--action", "letter")[0]
    file = answer(
        tmp_path / "done.jsonl",
        {**freeze, "done": True, "at": "2026-06-01T12:00:00Z"},
        {"key": letter["key"], "done": False},
    )
    assert call("review", "orders", "--ack", file) == (0, "2 answers: 2 recorded.\n", "")
    assert len(lines(call)) == 10
    case = full.log.view("case", freeze["case"])
    assert case["freeze"] == "in_force"
    assert case["due"] == "2026-06-03T12:00:00Z"
    head = full.log.head()
    said = call("review", "orders", "--ack", file)
    assert said == (0, "2 answers: 0 recorded, 2 known before.\n", "")
    assert full.log.head() == head
    told = {one["key"]: one for one in lines(call, "--all")}
    assert told[freeze["key"]]["done"] is True
    assert told[letter["key"]]["done"] is False
    assert sum(one["done"] is None for one in told.values()) == 10
    assert not verify(full).problems


def test_answers_from_a_pipe(call, full, monkeypatch):
    import io
    import sys
    from types import SimpleNamespace

    key = lines(call)[0]["key"]
    pipe = io.BytesIO(json.dumps({"key": key, "done": True}).encode() + b"\r\n\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
    assert call("review", "orders", "--ack", "-")[:2] == (0, "1 answers: 1 recorded.\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Line 2: it is not JSON."),
        ("[1]", "Line 2: it is no JSON object."),
        ("[" * 100_000, "Line 2: it is not JSON."),
        ('{"done": true}', "Line 2: it has no key of an order."),
        ('{"key": "KEY", "done": 1}', "Line 2: 'done' is neither true nor false."),
        ('{"key": "KEY"}', "Line 2: 'done' is neither true nor false."),
        ('{"key": "KEY", "done": true, "at": 5}', "Line 2: 'at' is no time."),
        ('{"key": "KEY", "done": true, "at": "soon"}', "Line 2: 'soon' is not a time."),
        ('{"key": "no", "done": true}', "Line 2: There is no order with the key 'no'."),
        ('{"key": "\\ud800", "done": true}', "Line 2: There is no order with the key"),
        ('{"key": "KEY", "done": true, "at": "2027-01-01"}', "Line 2: 2027-01-01T00:00:00Z has"),
        ('{"key": "KEY", "done": true, "at": "2025-01-01"}', "Line 2: Order"),
        ('{"key": "FIRST", "done": false}', "Line 2: Order"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_recorded(call, full, tmp_path, line, says):
    first, second, *_ = (one["key"] for one in lines(call))
    text = f'{{"key": "{first}", "done": true}}\n{line}\n'
    text = text.replace("KEY", second).replace("FIRST", first)
    (tmp_path / "done.jsonl").write_text(text, encoding="utf-8")
    head = full.log.head()
    code, out, err = call("review", "orders", "--ack", tmp_path / "done.jsonl")
    assert (code, out) == (1, "")
    assert says in err
    assert "Nothing was recorded." in err
    assert err.count("\n") == 1
    assert full.log.head() == head


def test_bytes_that_are_no_text():
    with pytest.raises(UserError, match="Line 1: it is not JSON"):
        read_answers(b'{"key": "\xff", "done": true}')


def test_who_only_audits_acknowledges_nothing(call, full, tmp_path, monkeypatch):
    (tmp_path / "inconcert.toml").write_text('[review.roles]\nauditor = ["ann"]\n')
    key = lines(call)[0]["key"]
    file = answer(tmp_path / "done.jsonl", {"key": key, "done": True})
    code, _, err = call("review", "orders", "--ack", file)
    assert code == 1
    assert "ann may not acknowledge orders" in err
    assert [event.action for event in full.log.events("log")] == ["looked", "refused"]


@pytest.mark.parametrize(
    "words", [("--ack", "f", "--send"), ("--ack", "f", "--all"), ("--again",), ("--send", "--all")]
)
def test_options_that_exclude_each_other(call, full, tmp_path, words):
    (tmp_path / "f").touch()
    assert call("review", "orders", *words)[0] == 2


# By webhook


class Platform:
    """A receiver: it answers by `plan` (200 when that is used up) and keeps what it got."""

    def __init__(self):
        self.got = []
        self.plan = []
        self.headers = {}
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                platform.got.append((self.path, dict(self.headers), body))
                status = platform.plan.pop(0) if platform.plan else 200
                if status is None:
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in platform.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/orders"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def keys(self):
        return [headers["Idempotency-Key"] for _, headers, _ in self.got]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def platform(tmp_path):
    platform = Platform()
    (tmp_path / "hook.key").write_bytes(KEY + b"\n")
    (tmp_path / "inconcert.toml").write_text(
        f'[review]\nwebhook = "{platform.url}"\nwebhook_key_file = "hook.key"\n'
        "webhook_pause = 0\nwebhook_attempts = 3\n"
    )
    yield platform
    platform.stop()


def test_orders_are_posted_with_key_and_signature(call, full, platform):
    code, out, err = call("review", "orders", "--send")
    assert (code, err) == (0, "")
    assert out == f"12 orders sent to {platform.url[7:-7]}.\n"
    assert platform.keys == [one["key"] for one in lines(call)]
    for path, headers, body in platform.got:
        assert path == "/orders"
        assert headers["Content-Type"] == "application/json"
        moment, signed = (part.split("=")[1] for part in headers["Inconcert-Signature"].split(","))
        assert abs(int(moment) - time.time()) < 60
        expected = hmac.new(KEY, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(signed, expected)
        assert json.loads(body)["key"] == headers["Idempotency-Key"]
    assert [json.loads(body) for _, _, body in platform.got] == lines(call)
    events = [event for event in full.log.events() if event.action == "sent"]
    assert len(events) == 3
    assert sum(len(event.facts["keys"]) for event in events) == 12
    assert all(order["sent"] == NOW for order in orders_of(full).values())
    assert not verify(full).problems


def test_what_was_sent_is_not_sent_again_unless_asked_and_then_with_the_same_key(
    call, full, platform
):
    call("review", "orders", "--send")
    first = list(platform.keys)
    head = full.log.head()
    assert call("review", "orders", "--send")[1].startswith("0 orders sent")
    assert platform.keys == first
    assert call("review", "orders", "--send", "--again")[1].startswith("12 orders sent")
    assert platform.keys == first * 2
    assert full.log.head() == head


@pytest.mark.parametrize("failures", [(503, 503), (429, 500), (None, 502)])
def test_a_receiver_that_fails_twice_and_then_works(call, full, platform, failures):
    platform.plan = list(failures)
    code, out, _ = call("review", "orders", "--send", "--action", "freeze")
    assert (code, out.split()[0]) == (0, "1")
    assert len(platform.got) == 3
    assert len(set(platform.keys)) == 1
    [order] = [one for one in orders_of(full).values() if one["action"] == "freeze"]
    assert order["sent"] == NOW


def test_a_receiver_that_goes_on_failing(call, full, platform):
    platform.plan = [200, *[500] * 3]
    code, out, err = call("review", "orders", "--send")
    assert code == 4
    assert out.endswith(", 1 not delivered.\n")
    failed = platform.keys[1]
    assert err.startswith(f"Order {failed}: ")
    assert "does not take orders: it answers 500" in err
    assert len(platform.got) == 14
    assert [key for key, order in orders_of(full).items() if "sent" not in order] == [failed]
    assert call("review", "orders", "--send")[1].startswith("1 orders sent")


def test_a_receiver_that_fails_at_everything_is_soon_asked_once_only(call, full, platform):
    platform.plan = [500] * 50
    code, out, err = call("review", "orders", "--send")
    assert (code, len(err.splitlines())) == (4, 12)
    assert out == f"0 orders sent to {platform.url[7:-7]}, 12 not delivered.\n"
    assert len(platform.got) == 3 * 3 + 9
    assert not any("sent" in order for order in orders_of(full).values())


def test_a_receiver_that_wants_no_more_is_left_alone(call, full, platform):
    platform.plan = [200, *[429] * 3]
    code, out, err = call("review", "orders", "--send")
    assert (code, out) == (4, "")
    assert "it answers 429" in err
    assert len(platform.got) == 4


@pytest.mark.parametrize("status", [500, 422])
def test_a_lifting_does_not_overtake_its_freeze(full, platform, status):
    freeze = next(one for one in orders_of(full).values() if one["action"] == "freeze")
    lifting = {**freeze, "key": "later", "action": "unfreeze"}
    letter = next(one for one in orders_of(full).values() if one["action"] == "letter")
    hook = Hook(platform.url, KEY, 5, 2 if status == 500 else 1, 0)
    platform.plan = [status] * hook.attempts
    done = send(full, person("ann"), hook, [freeze, lifting, letter])
    assert done.waiting == ["later"]
    assert done.delivered == [letter["key"]]


def test_a_receiver_that_is_down(call, full, platform):
    head = full.log.head()
    platform.stop()
    code, out, err = call("review", "orders", "--send")
    assert (code, out) == (4, "")
    assert "does not take orders: Connection refused." in err
    assert full.log.head() == head


def test_an_order_that_is_refused_is_said_and_not_tried_again(call, full, platform):
    platform.plan = [422]
    code, out, err = call("review", "orders", "--send")
    assert code == 1
    assert (
        err
        == f"Order {platform.keys[0]}: {platform.url[7:-7]} refuses it: it answers 422 "
        + (err.split("422 ")[1])
    )
    assert out.endswith(", 1 refused.\n")
    assert len(platform.got) == 12
    assert "sent" not in orders_of(full)[platform.keys[0]]


def test_a_receiver_that_refuses_all_is_soon_left_alone(call, full, platform):
    platform.plan = [401] * 20
    code, out, _ = call("review", "orders", "--send")
    assert code == 1
    assert "10 refused, 2 not tried after so many refusals" in out
    assert len(platform.got) == 10


def test_a_redirection_is_not_followed(call, full, platform):
    platform.plan = [302]
    platform.headers = {"Location": platform.url + "/elsewhere"}
    code, _, err = call("review", "orders", "--send", "--action", "freeze")
    assert code == 1
    assert "it answers 302" in err
    assert [path for path, _, _ in platform.got] == ["/orders"]


def test_the_receiver_may_ask_for_a_pause(full, platform):
    platform.plan = [429]
    platform.headers = {"Retry-After": "1"}
    order = given(orders_of(full).values())[0]
    begun = time.monotonic()
    assert deliver(Hook(platform.url, KEY, 5, 2, 0), order) is None
    assert time.monotonic() - begun >= 1


def test_two_senders_at_once_record_an_order_once(full, platform):
    hook = Hook(platform.url, KEY, 5, 2, 0)
    waiting = given(orders_of(full).values())
    send(full, person("ann"), hook, waiting)
    send(full, person("bob"), hook, waiting)
    assert len(platform.got) == 24
    keys = [k for event in full.log.events() if event.action == "sent" for k in event.facts["keys"]]
    assert sorted(keys) == sorted(orders_of(full))


def test_who_may_not_send_sends_nothing(call, full, platform, tmp_path):
    with (tmp_path / "inconcert.toml").open("a") as file:
        file.write('[review.roles]\nauditor = ["ann"]\n')
    code, _, err = call("review", "orders", "--send")
    assert code == 1
    assert "ann may not send orders" in err
    assert not platform.got


def test_no_webhook_and_no_key(call, full, tmp_path):
    assert "There is no webhook." in call("review", "orders", "--send")[2]
    for key, says in (
        ("", "there is no key"),
        ('webhook_key_file = "none"', "none cannot be read"),
        ('webhook_key_file = "short"', "is shorter than 16 characters"),
    ):
        (tmp_path / "short").write_text("short\n")
        text = f'[review]\nwebhook = "https://platform.example/orders"\n{key}\n'
        (tmp_path / "inconcert.toml").write_text(text)
        code, _, err = call("review", "orders", "--send")
        assert code == 1
        assert says in err


@pytest.mark.parametrize(
    "address",
    [
        "platform.example",
        "file:///etc/passwd",
        "http://platform.example/orders",
        "https://ann:secret@platform.example/",
        "https://platform.example:port/",
        "https://",
    ],
)
def test_an_address_that_orders_are_not_sent_to(address):
    with pytest.raises(UserError, match=r"inconcert\.toml: review\.webhook"):
        parse(f'[review]\nwebhook = "{address}"')


def test_a_home_folder_in_the_name_of_the_key_file(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "k").write_bytes(KEY)
    found = parse('[review]\nwebhook = "https://p.example"\nwebhook_key_file = "~/k"').review
    assert hook_of(found).key == KEY


def test_an_unreachable_name(full):
    order = given(orders_of(full).values())[0]
    with pytest.raises(UnreachableError, match=r"no\.invalid"):
        deliver(Hook("https://no.invalid/", KEY, 5, 1, 0), order)


def test_a_sent_order_of_which_nobody_knows_is_a_problem_for_verify(full):
    """An event that names an order that there is not cannot be written."""
    actor = person("ann").anybody()
    draft = Draft("case/" + case_of(full, "whale"), "sent", {"keys": ["none"]})
    with pytest.raises(AssertionError):
        full.log.write(lambda desk: desk.record(actor, draft), project)
    assert not verify(full).problems
