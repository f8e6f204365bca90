"""A server of one's own: it comes up, keeps its data when it is killed, and leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import neo4j
import pytest
from neo4j_servers import do_without, own_server

from graph.errors import UserError
from inconcert.devserver import Server, install, start
from inconcert.devserver.server import is_free

ROOT = Path(__file__).parents[2]
PASSWORD = "a password of ours"


def ask(server: Server, statement: str, **parameters: object) -> list[object]:
    """The first column of the answer."""
    with neo4j.GraphDatabase.driver(server.url, auth=server.auth) as driver:
        return driver.execute_query(statement, parameters).records[0].values()  # type: ignore[arg-type]


def listens(url: str) -> bool:
    return not is_free(int(url.rsplit(":", 1)[1]))


def wait_for(what: object, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not (done := what()) and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.02)
    return bool(done)


@pytest.fixture
def server(guarded_server: Server) -> Server:
    """With a password; it runs."""
    return guarded_server


def test_it_is_the_version_of_the_pom_and_serves_its_browser(server: Server) -> None:
    name = "CALL dbms.components() YIELD versions, edition RETURN versions[0], edition"
    assert ask(server, name) == [install.neo4j_version(), "community"]
    assert re.fullmatch(r"5\.26\.\d+", install.neo4j_version())
    server.wait_for_browser()
    with urlopen(f"{server.http_url}/browser/") as page:
        assert b"Neo4j Browser" in page.read()


def test_it_is_reached_from_this_machine_only(server: Server) -> None:
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True).stdout
    ours = [line.split()[3] for line in listening.splitlines() if f"pid={server.pid}," in line]
    assert len(ours) == 2
    assert all("127.0.0.1" in address for address in ours)


@pytest.mark.long
def test_killed_and_started_again_it_has_its_data_on_the_same_ports(server: Server) -> None:
    ask(server, "CREATE (n:Kept {name: $name}) RETURN n.name", name="before")
    url, pid = server.url, server.pid
    server.kill()
    assert server.pid is None
    assert not listens(url)
    server.start()
    assert server.url == url
    assert server.pid not in (None, pid)
    assert ask(server, "MATCH (n:Kept) RETURN n.name") == ["before"]


@pytest.mark.long
def test_stopped_its_neo4j_admin_imports_what_it_then_serves(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "nodes.csv").write_text("id:ID,name\n1,Ann\n2,Bo\n")
    script = server.admin_script(tmp_path / "neo4j-admin")
    words = ["database", "import", "full", "--overwrite-destination", "neo4j"]
    words.append(f"--nodes=Person={tmp_path / 'nodes.csv'}")
    refused = server.admin(*words)
    assert refused.returncode != 0
    assert "in use" in refused.stderr
    server.stop()
    done = subprocess.run([script, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    server.start()
    statement = "MATCH (n:Person) WITH n.name AS name ORDER BY name RETURN collect(name)"
    assert ask(server, statement) == [["Ann", "Bo"]]


def test_it_refuses_another_password(server: Server) -> None:
    wrong = neo4j.GraphDatabase.driver(server.url, auth=("neo4j", "wrong"))
    with wrong, pytest.raises(neo4j.exceptions.AuthError):
        wrong.verify_connectivity()


@pytest.mark.long
@pytest.mark.parametrize("password", ["short", "neo4j"])
def test_a_password_that_the_server_does_not_take_is_one_sentence(
    server: Server, tmp_path: Path, password: str
) -> None:
    with pytest.raises(UserError, match="Neo4j refused the password: "):
        start(tmp_path, password=password)


@pytest.mark.long
def test_the_first_start_fixes_the_password(server: Server, tmp_path: Path) -> None:
    with start(tmp_path, password=PASSWORD):
        pass
    with pytest.raises(UserError, match="has another password"):
        start(tmp_path, password="another password")


def test_a_port_that_is_taken_is_one_sentence(server: Server, tmp_path: Path) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 is taken"):
        start(tmp_path, bolt=port)


def test_a_server_that_cannot_start_says_what_its_log_ends_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ended while it started.*no\.such\.setting"):
        own_server(tmp_path, settings={"no.such.setting": "1"})


PARENT = """
import sys, time
from pathlib import Path
from inconcert.devserver import start

server = start(Path(sys.argv[1]))
print(server.pid, server.url, flush=True)
time.sleep(120)
"""


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path, server: Server) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid, url = parent.stdout.readline().split()
    assert listens(url)
    parent.kill()
    parent.communicate()
    assert wait_for(lambda: not listens(url))
    assert wait_for(lambda: not _runs(int(pid)))


def _runs(pid: int) -> bool:
    """Not gone, and not a zombie that nobody has asked after."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip()[:1] not in ("", "Z")


def test_the_command_runs_until_it_is_interrupted(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inconcert.devserver", "--dir", str(tmp_path / "home")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_no_password()
    )
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(5))
    url = re.search(r"neo4j://127\.0\.0\.1:\d+", said)
    assert url is not None, said
    assert "/browser/" in said
    assert "Ctrl-C" in said
    assert listens(url[0])
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "Traceback" not in rest
    assert not listens(url[0])


def _no_password() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "NEO4J_PASSWORD"}


FETCH = "from inconcert.devserver import prepare; print(prepare())"


@pytest.mark.faults
@pytest.mark.long
def test_a_half_made_cache_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    """Maven is really killed while it copies; then two processes fetch at once."""
    if shutil.which("mvn") is None:
        do_without("Maven (mvn) is not here.")
    whole = {jar.name: jar.stat().st_size for jar in install.prepare().iterdir()}
    monkeypatch.setenv("INCONCERT_CACHE", str(tmp_path))
    killed = _fetching(start_new_session=True)
    assert wait_for(lambda: len(list(tmp_path.rglob("*.jar"))) > 3, 120)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    left = list(tmp_path.rglob("*.jar"))
    assert 0 < len(left) < len(whole)
    assert all("fetching-" in str(jar) for jar in left)
    for process in [_fetching(), _fetching()]:
        said, error = process.communicate()
        assert process.returncode == 0, error
        lib = Path(said.strip())
    assert {jar.name: jar.stat().st_size for jar in lib.iterdir()} == whole
    assert sorted(path.name for path in lib.parent.iterdir()) == ["lib", "lock"]


def _fetching(**options: object) -> subprocess.Popen[str]:
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", FETCH],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    return process


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCONCERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    said = install.missing()
    assert said is not None
    assert "no java is here" in said
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no java is here"):
        own_server(tmp_path)
    monkeypatch.delenv("CI")
    with (
        pytest.warns(UserWarning, match="no java is here"),
        pytest.raises(pytest.skip.Exception, match="no java is here"),
    ):
        own_server(tmp_path)


def test_compose_names_settings_that_the_server_has(server: Server) -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert "image: neo4j:5.26-community" in text
    variables = set(re.findall(r"^ {6}NEO4J_(\w+): ", text, re.MULTILINE)) - {"AUTH"}
    names = {
        "_".join(part.replace("_", ".") for part in variable.split("__")) for variable in variables
    }
    assert "browser.remote_content_hostname_whitelist" in names
    found = ask(server, "SHOW SETTINGS YIELD name RETURN collect(name)")[0]
    assert names - set(found) == set()  # type: ignore[call-overload]


def test_compose_takes_no_server_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert 'NEO4J_AUTH: "neo4j/${NEO4J_PASSWORD:?' in text
    if _compose("version").returncode == 0:  # where the client has it, it judges the whole file
        monkeypatch.delenv("NEO4J_PASSWORD", raising=False)
        assert "NEO4J_PASSWORD" in _compose("config").stderr
        monkeypatch.setenv("NEO4J_PASSWORD", PASSWORD)
        assert _compose("config").returncode == 0


def _compose(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "compose", "--file", str(ROOT / "compose.yaml"), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127)
