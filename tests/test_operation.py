"""The examples in operation/ are what the schedulers and the program understand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inconcert.reference import whole_tree

FOLDER = Path(__file__).parent.parent / "operation"
UNITS = sorted((FOLDER / "systemd").iterdir())
MANIFESTS = sorted((FOLDER / "kubernetes").iterdir())
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())


def settings_of(unit: Path) -> dict[str, list[str]]:
    """A unit's settings by name; those that occur several times in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_command_that_is_named_is_there(path: Path) -> None:
    known = {path.removeprefix("inconcert ") for path, _, _ in whole_tree()}
    named = re.findall(r"bin/inconcert ((?:[a-z]+ ?)+)", path.read_text())
    assert {words.split()[0] for words in named} <= known


@pytest.mark.parametrize("name", ["refresh", "increment"])
def test_a_held_refresh_is_a_failure_and_refused_rows_are_none(name: str) -> None:
    unit = settings_of(FOLDER / "systemd" / f"inconcert-{name}.service")
    assert unit["SuccessExitStatus"] == ["3"]
    assert unit["OnFailure"] == ["inconcert-failed@%n.service"]
    assert ("--increment" in unit["ExecStart"][0]) == (name == "increment")
    assert (FOLDER / "systemd" / "inconcert-failed@.service") in UNITS
    manifest = (FOLDER / "kubernetes" / f"{name}.yaml").read_text()
    assert "concurrencyPolicy: Forbid" in manifest
    assert "[ $code -eq 3 ] && exit 0" in manifest
    assert "values: [1, 2, 5]" in manifest


@pytest.mark.parametrize(("code", "end"), [(0, 0), (1, 1), (3, 0), (4, 4), (5, 5), (143, 143)])
@pytest.mark.parametrize("name", ["refresh", "increment"])
def test_what_a_job_ends_with(name: str, code: int, end: int) -> None:
    manifest = (FOLDER / "kubernetes" / f"{name}.yaml").read_text()
    [script] = re.findall(r"command: \[/bin/sh, -c, '(.*)'\]", manifest)
    stand_in = f"inconcert() {{ return {code}; }}; {script}"
    assert subprocess.run(["sh", "-c", stand_in], check=False).returncode == end


@pytest.mark.parametrize(
    ("code", "told"), [(0, False), (1, True), (3, False), (4, True), (5, True)]
)
def test_what_cron_mails(code: int, told: bool, tmp_path: Path) -> None:
    lines = [
        line for line in (FOLDER / "cron").read_text().splitlines() if " inconcert cd " in line
    ]
    program = tmp_path / "inconcert"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"[\d*/,-]+ [\d*/,-]+ \S+ \S+ \S+", " ".join(line.split()[:5]))
        script = line.split(" inconcert ", 1)[1].replace(
            "/opt/inconcert/bin/inconcert", str(program)
        )
        script = script.replace("/etc/inconcert", str(tmp_path)).replace("/var/log", str(tmp_path))
        (tmp_path / "inconcert.log").touch()
        script = script.replace(f"{tmp_path}/inconcert/out", str(tmp_path / "out"))
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert ("failed or held" in done.stdout) == told, done.stderr


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for unit in UNITS:
        text = unit.read_text().replace("/opt/inconcert/bin/inconcert", "/bin/true")
        (tmp_path / unit.name).write_text(text.replace("/usr/bin/logger", "/bin/true"))
    units = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for timer in (FOLDER / "systemd").glob("*.timer"):
        subprocess.run(
            ["systemd-analyze", "calendar", *settings_of(timer)["OnCalendar"]],
            check=True,
            capture_output=True,
        )


def test_prometheus_understands_the_alerts_and_they_fire() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool")
    subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yml"], cwd=FOLDER / "prometheus", check=True
    )


def test_alerts_go_by_figures_that_there_are() -> None:
    said = (FOLDER / "prometheus" / "alerts.yml").read_text()
    source = (FOLDER.parent / "inconcert" / "refresh" / "metrics.py").read_text()
    there = {f"inconcert_{name}" for name in re.findall(r'gauge\(\s*"(\w+)"', source)}
    assert set(re.findall(r"inconcert_\w+", said)) <= there


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_understands_the_manifests(path: Path) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    for document in yaml.safe_load_all(path.read_text()):
        validate.validate(document, "1.30", strict=True)
