"""Every command is in the documents, and the reference is what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inconcert.reference import detector_helps, reference, whole_tree

ROOT = Path(__file__).parent.parent
PATHS = [path for path, _, _ in whole_tree() if path != "inconcert"]
REFERENCE = ROOT / "docs" / "commands.md"


def prose() -> str:
    """README and every page of docs/, but for the generated reference."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return "\n".join(
        page.read_text(encoding="utf-8") for page in pages if page.exists() and page != REFERENCE
    )


@pytest.mark.parametrize("path", PATHS)
def test_every_command_is_in_the_documents(path: str) -> None:
    mention = r"(?<![\w-])" + r"\s+".join(map(re.escape, path.split())) + r"(?![\w-])"
    everywhere = prose() + REFERENCE.read_text(encoding="utf-8")
    assert re.search(mention, everywhere), f"`{path}` is in no document"


@pytest.mark.parametrize("name", sorted({path.split()[1] for path in PATHS}))
def test_every_command_is_told_of_in_words(name: str) -> None:
    """The generated reference alone is no documentation."""
    mention = rf"(?<![\w-])inconcert\s+{re.escape(name)}(?![\w-])"
    assert re.search(mention, prose()), f"`inconcert {name}` is in no page but the reference"


def test_the_reference_is_what_the_program_says() -> None:
    command = "python -m inconcert.reference > docs/commands.md"
    assert REFERENCE.exists(), f"write it with `{command}`"
    written = REFERENCE.read_text(encoding="utf-8")
    assert written == reference(), f"docs/commands.md is out of date: `{command}`"


def test_every_command_and_detector_is_in_the_reference() -> None:
    text = reference()
    for path in PATHS:
        assert f"# {path}\n" in text
        assert f"Usage: {path} " in text
    modules = {file.stem for file in (ROOT / "detectors").glob("*.py")}
    named = {name for name, _ in detector_helps()}
    assert {"flow", "identifier", "links", "whale"} <= named <= modules
    for name, words in detector_helps():
        assert f"**{name}**: {words}" in text


def test_no_document_names_a_command_that_is_not_there() -> None:
    known = {path.split()[1] for path in PATHS}
    typed = re.findall(r"^\s*(?:\$ )?inconcert ([a-z][a-z-]*)", prose(), re.MULTILINE)
    assert set(typed) <= known
