"""The pages for Neo4j Browser: guides in both of its formats, saved queries, the style.

A guide has one source, `cypher/guides/NAME.toml`; its queries are named there and taken
from `cypher/explore`, so nothing is written twice.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup, escape

from cypher import FOLDER, LABELS, TYPES, Statement, names, prefixed, statement

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

INDEX = "queries"
"""The guide that is made of all saved queries."""

SUBJECTS = {
    "none": "The whole store",
    "group": "One group",
    "case": "One case of the review queue",
    "account": "Accounts",
    "run": "Runs",
}
"""Slides of the index, by the first parameter that a query takes."""

Guide = dict[str, Any]
"""`title` and `slides`: each a `title` and `steps` of `say` with `query`, `command` or
`guide`, as in the sources."""


@dataclass(frozen=True)
class Page:
    """What is served under one path."""

    kind: str
    """Its content type."""
    body: bytes


def pages(base: str, prefix: str = "") -> dict[str, Page]:
    """Every page by its path, such as `guides/start.html`.

    `base`: the URL that they are served under, with a `/` at its end. `prefix`: what stands
    before labels and types in the database.
    """
    found = {f"{name}.cypher": _text(statement(name, prefix).text) for name in saved_queries()}
    for name in guide_names():
        guide = _guide(name)
        found[f"guides/{name}.html"] = Page(HTML, _html(guide, base, prefix).encode())
        found[f"guides/{name}.adoc"] = _text(_adoc(guide, base, prefix))
    found["style.grass"] = _text(style(prefix))
    return found


def saved_queries() -> list[str]:
    """Names of all saved queries, such as `explore/findings`."""
    return names("explore")


def guide_names() -> list[str]:
    """Names of all guides, such as `start`."""
    return sorted([INDEX, *(path.stem for path in (FOLDER / "guides").glob("*.toml"))])


def style(prefix: str = "") -> str:
    """The style sheet (GraSS) for `:style`, its selectors with the prefix."""
    text = (FOLDER / "style.grass").read_text(encoding="utf-8")
    selector = rf"^(node|relationship)\.({'|'.join(LABELS + TYPES)})\b"
    return re.sub(selector, rf"\1.{prefix}\2", text, flags=re.MULTILINE)


def body(query: Statement) -> str:
    """A statement without its header."""
    return re.sub(r"\A(//.*\n)+", "", query.text)


def _guide(name: str) -> Guide:
    if name == INDEX:
        return _index()
    return tomllib.loads((FOLDER / "guides" / f"{name}.toml").read_text(encoding="utf-8"))


def _index() -> Guide:
    """All saved queries by what they are about; on each slide first what sets their parameters."""
    commands: dict[str, dict[str, None]] = {subject: {} for subject in SUBJECTS}
    queries: dict[str, list[dict[str, str]]] = {subject: [] for subject in SUBJECTS}
    for name in saved_queries():
        query = statement(name)
        subject = query.parameters.split()[0]
        commands[subject] |= dict.fromkeys(query.examples)
        queries[subject].append({"say": sentence(query.about), "query": name.split("/")[1]})
    slides = [
        {
            "title": title,
            "steps": [
                *({"say": f"Sets `{line.split()[1]}`:", "command": line} for line in commands[key]),
                *queries[key],
            ],
        }
        for key, title in SUBJECTS.items()
    ]
    return {"title": "All saved queries", "slides": slides}


def sentence(about: str) -> str:
    """What a header says of a statement, as a sentence."""
    return about[0].upper() + about[1:]


def _html(guide: Guide, base: str, prefix: str) -> str:
    """For `:play` in Neo4j Browser 5."""
    return _render("guide.html.jinja", guide, base, "html", prefix, _inline_html, escaped=True)


def _adoc(guide: Guide, base: str, prefix: str) -> str:
    """AsciiDoc for `:guide` in the Neo4j Browser that follows version 5."""
    return _render("guide.adoc.jinja", guide, base, "adoc", prefix, _inline_adoc, escaped=False)


def _render(
    template: str, guide: Guide, base: str, ending: str, prefix: str, inline: Any, *, escaped: bool
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "guides"),
        autoescape=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inline"] = inline
    filled = {
        **guide,
        "slides": [
            {**slide, "steps": [_step(step, base, ending, prefix) for step in slide["steps"]]}
            for slide in guide["slides"]
        ],
    }
    return environment.get_template(template).render(guide=filled)


def _step(step: dict[str, str], base: str, ending: str, prefix: str) -> dict[str, Any]:
    """A step as the templates take it: texts of queries and commands, whole addresses."""
    unknown = set(step) - {"say", "query", "command", "guide"}
    if unknown:
        raise ValueError(f"a step of a guide cannot have {', '.join(sorted(unknown))}")
    query = statement(f"explore/{step['query']}", prefix) if "query" in step else None
    command = step.get("command")
    return {
        "say": step["say"],
        "query": query and {"name": step["query"], "text": body(query)},
        "commands": [prefixed(command.replace("{base}", base), prefix)] if command else [],
        "guide": f"{base}guides/{step['guide']}.{ending}" if "guide" in step else None,
    }


def _inline_html(text: str) -> Markup:
    """`code` and *emphasis*; all else is text."""
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", safe))


def _inline_adoc(text: str) -> str:
    """`code` and *emphasis* in AsciiDoc; the code is passed through as it is."""
    return re.sub(r"\*([^*]+)\*", r"_\1_", re.sub(r"`([^`]+)`", r"`+\1+`", text))


def _text(content: str) -> Page:
    return Page(TEXT, content.encode())
