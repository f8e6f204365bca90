"""`inconcert browser`: guides, style and saved queries, served as Neo4j Browser asks for them."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from cypher import FOLDER, LABELS, TYPES, names, statement
from inconcert.browser.pages import Page, body, guide_names, pages
from inconcert.browser.serve import PageServer

BASE = "http://localhost:7475/"
SAVED = [name.split("/")[1] for name in names("explore")]
SOURCES = {path.stem: path for path in (FOLDER / "guides").glob("*.toml")}
GUIDES = guide_names()
VOID = {"br", "hr", "img", "meta", "link", "input"}


class Reader(HTMLParser):
    """What Browser's guide frame takes: slides, blocks to click, links; and whether it nests."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.blocks: list[str] = []
        self.commands: list[str] = []
        self.inside = False
        self.feed(text)
        self.close()
        assert self.open == [], "not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre":
            assert "runnable" in str(given["class"]).split()
            self.blocks.append("")
            self.inside = True
        if "data-exec" in given:
            self.commands.append(str(given["data-exec"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.inside = self.inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.blocks[-1] += data


def adoc_blocks(text: str) -> list[str]:
    """The Cypher blocks of a page in AsciiDoc."""
    return re.findall(r"^\[source,cypher\]\n----\n(.*?)\n----$", text, re.MULTILINE | re.DOTALL)


def steps(name: str) -> list[dict[str, str]]:
    if name not in SOURCES:
        return [{"query": query} for query in SAVED]
    source = tomllib.loads(SOURCES[name].read_text(encoding="utf-8"))
    return [step for slide in source["slides"] for step in slide["steps"]]


def page(found: dict[str, Page], path: str) -> str:
    return found[path].body.decode()


# Guides


@pytest.mark.parametrize("prefix", ["", "Team"])
@pytest.mark.parametrize("name", GUIDES)
def test_both_formats_have_every_query_as_it_is(name: str, prefix: str) -> None:
    found = pages(BASE, prefix)
    html = Reader(page(found, f"guides/{name}.html")).blocks
    adoc = adoc_blocks(page(found, f"guides/{name}.adoc"))
    wanted = [
        body(statement(f"explore/{step['query']}", prefix))
        for step in steps(name)
        if "query" in step
    ]
    assert sorted(text for text in html if not text.startswith(":")) == sorted(wanted)
    assert sorted(text for text in adoc if not text.startswith(":")) == sorted(wanted)
    assert [text for text in html if text.startswith(":")] == [
        text for text in adoc if text.startswith(":") and not text.startswith(":guide")
    ]
    if prefix:
        assert not any(re.search(rf"[(\[:]:?({'|'.join(LABELS + TYPES)})\b", text) for text in html)


@pytest.mark.parametrize("name", GUIDES)
def test_browser_cleans_nothing_out_of_a_guide(name: str) -> None:
    """Browser takes out what looks to it like script, such as ` one = x`: no query may."""
    html = page(pages(BASE), f"guides/{name}.html")
    handlers = re.compile(r"""(\s+(on[^\s=]+)[^\s=]*\s*=\s*("[^"]*"|'[^']*'|[\w\-.:]+\s*))""", re.I)
    assert not handlers.findall(html)
    assert "<script" not in html
    assert "javascript:" not in html


@pytest.mark.parametrize("name", GUIDES)
def test_guides_are_made_of_slides(name: str) -> None:
    text = page(pages(BASE), f"guides/{name}.html")
    found = Reader(text)
    titles = re.findall(r"<h3>(.+)</h3>", text)
    assert found.counts["slide"] == len(titles) >= 4
    assert found.counts["carousel"] == 1
    adoc = page(pages(BASE), f"guides/{name}.adoc")
    assert re.findall(r"^== (.+)$", adoc, re.MULTILINE) == titles
    assert len(re.findall(r"^= .+$", adoc, re.MULTILINE)) == 1


def test_words_of_a_guide_cannot_become_markup(tmp_path: Any, monkeypatch: Any) -> None:
    """Text with brackets, quotes and ampersands comes out as it was written."""
    import inconcert.browser.pages as module

    (tmp_path / "guides").mkdir()
    for path in (FOLDER / "guides").glob("*.jinja"):
        (tmp_path / "guides" / path.name).write_text(path.read_text())
    (tmp_path / "style.grass").write_text("")
    (tmp_path / "guides" / "odd.toml").write_text(
        'title = "<b>"\n[[slides]]\ntitle = "a & b"\n[[slides.steps]]\n'
        'say = "<i>x</i> `a<b`"\ncommand = ":param x => \'</pre>\'"\n'
    )
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    found = pages(BASE)
    html = page(found, "guides/odd.html")
    assert "&lt;i&gt;x&lt;/i&gt; <code>a&lt;b</code>" in html
    assert "<h3>a &amp; b</h3>" in html
    assert Reader(html).blocks == [":param x => '</pre>'"]
    assert "<i>x</i> `+a<b+`" in page(found, "guides/odd.adoc")


def test_a_guide_leads_from_facts_to_doubts_and_every_link_is_there() -> None:
    found = pages(BASE)
    titles = re.findall(r"<h3>(.+)</h3>", page(found, "guides/start.html"))
    order = [
        "What is in here",
        "How facts lie",
        "The current findings",
        "Why was this group found?",
        "What speaks against it?",
        "What moved?",
        "The accounts just outside",
    ]
    assert titles[: len(order)] == order
    for name in GUIDES:
        html = Reader(page(found, f"guides/{name}.html"))
        for command in html.commands:
            word, url = command.split()
            assert word == "guide"
            assert url.removeprefix(BASE) in found
        for block in html.blocks:
            if block.startswith(":style "):
                assert block.split()[1].removeprefix(BASE) in found


def test_every_saved_query_is_in_a_written_guide() -> None:
    """The index has them all by itself; a guide says what each is good for."""
    assert {step["query"] for name in SOURCES for step in steps(name) if "query" in step} == set(
        SAVED
    )


def test_parameters_are_set_before_the_queries_that_take_them() -> None:
    """On every slide, or an earlier one of the guide."""
    for name in SOURCES:
        known: set[str] = set()
        for step in steps(name):
            known |= set(re.findall(r"^\s*:param (\w+)", step.get("command", "")))
            if "query" in step:
                taken = set(re.findall(r"\$(\w+)", statement(f"explore/{step['query']}").text))
                assert taken <= known, (name, step["query"])


def test_the_index_sets_the_parameters_of_its_queries() -> None:
    blocks = Reader(page(pages(BASE), "guides/queries.html")).blocks
    wanted = {line for name in SAVED for line in statement(f"explore/{name}").examples}
    assert {block for block in blocks if block.startswith(":")} == wanted


def test_style_names_labels_that_there_are() -> None:
    selectors = re.findall(
        r"^(node|relationship)(?:\.(\w+))? \{$", page(pages(BASE), "style.grass"), re.MULTILINE
    )
    named = {word for _, word in selectors if word}
    assert named <= set(LABELS) | set(TYPES)
    assert named >= {"Account", "Group", "Identifier", "Run", "ACTS_WITH", "TRANSFERRED"}
    own = page(pages(BASE, "Team"), "style.grass")
    assert "\nnode.TeamAccount {" in own
    assert "\nrelationship.TeamACTS_WITH {" in own
    assert own.count("Team") == len(named)


# Serving


@pytest.fixture
def serving(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command on a free port, and the text that it printed. Killed at the end."""
    words = getattr(request, "param", [])
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from inconcert.cli import main; main()",
            "browser",
            "serve",
            "--port",
            "0",
            *words,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while "start.adoc" not in said:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            said += line
        yield process, said
    finally:
        process.kill()
        process.communicate()


def ask(said: str, method: str, path: str) -> http.client.HTTPResponse:
    found = re.search(r"http://localhost:(\d+)/", said)
    assert found is not None
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
    connection.request(method, path, headers={"Origin": "http://127.0.0.1:7474"})
    return connection.getresponse()


def test_serve_prints_lines_to_type_and_serves_what_they_name(serving: Any) -> None:
    process, said = serving
    lines = re.findall(r":(style|play|guide) http://localhost:\d+/(\S+)", said)
    assert [word for word, _ in lines] == ["style", "guide", "play", "guide"]
    for _, path in lines:
        answer = ask(said, "GET", f"/{path}")
        text = answer.read().decode()
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert int(answer.headers["Content-Length"]) == len(text.encode())
        kind = "text/html" if path.endswith(".html") else "text/plain"
        assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    answer = ask(said, "GET", "/explore/findings.cypher")
    assert answer.read().decode() == statement("explore/findings").text
    assert process.poll() is None


def test_serve_gives_leave_for_the_headers_of_browser(serving: Any) -> None:
    _, said = serving
    answer = ask(said, "OPTIONS", "/guides/start.html")
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Headers"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    head = ask(said, "HEAD", "/guides/start.html")
    assert head.status == 200
    assert head.read() == b""


@pytest.mark.parametrize(
    "path", ["/", "/guides/../../pyproject.toml", "/explore/", "/nothing.html"]
)
def test_serve_has_its_pages_only(serving: Any, path: str) -> None:
    _, said = serving
    assert ask(said, "GET", path).status == 404
    assert ask(said, "POST", "/guides/start.html").status == 501


def test_serve_listens_on_this_machine_only() -> None:
    with PageServer(0, lambda _: None) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("serving", [["--store", "neo4j://localhost?prefix=Team"]], indirect=True)
def test_serve_takes_the_prefix_of_the_store(serving: Any) -> None:
    """It asks the server nothing: there need not be one."""
    _, said = serving
    text = ask(said, "GET", "/explore/findings.cypher").read().decode()
    assert "(:TeamStore {single: 1})-[:TeamCURRENT]->(run:TeamRun)" in text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serve_stops_on_signals(serving: Any, number: signal.Signals, code: int) -> None:
    process, _ = serving
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err


def test_serve_refuses_a_port_in_use_in_one_sentence(call: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = call("browser", "serve", "--port", port)
    assert (code, out) == (1, "")
    assert err == (
        f"inconcert: Port {port} cannot be served: address already in use. "
        "Name another with --port.\n"
    )


def test_serve_refuses_a_wrong_prefix_before_it_takes_a_port(call: Any) -> None:
    code, out, err = call("browser", "serve", "--port", 0, "--store", "neo4j://h?prefix=1`")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "cannot stand before labels" in err


# Saved queries at a terminal


def test_queries_lists_them_all(call: Any) -> None:
    code, out, _ = call("browser", "queries")
    assert code == 0
    listed = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert [word for word in listed if word in SAVED] == SAVED


def test_query_prints_one_as_it_is(call: Any) -> None:
    assert call("browser", "query", "cycles") == (0, statement("explore/cycles").text + "\n", "")
    _, out, _ = call("browser", "query", "cycles", "--store", "bolt://localhost?prefix=Team")
    assert out == statement("explore/cycles", "Team").text + "\n"


def test_query_names_the_nearest(call: Any) -> None:
    code, out, err = call("browser", "query", "cycle")
    assert (code, out) == (1, "")
    assert err == "inconcert: There is no saved query 'cycle'. Did you mean 'cycles'?\n"
