"""One Neo4j server in a folder: started, stopped, killed, started again, and its neo4j-admin."""

from __future__ import annotations

import atexit
import functools
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graph.errors import UserError
from inconcert.devserver import install, leash

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below those that systems give to clients: a client that retries while the server is down
must not be given the server's own port."""
START_SECONDS = 120
STOP_SECONDS = 120
TAIL = 6
"""Lines of the logs that an error quotes; calls on a stack are not counted."""
OPEN = [
    f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io", "sun.nio.ch")
]
QUICK = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m"]
"""Up and warm sooner, slower from then on. Planning compiles more than the 48 MB that this
compiler alone is given: room for it saves Java from throwing code away."""
ENTRY = "org.neo4j.server.CommunityEntryPoint"
ADMIN = "org.neo4j.server.startup.Neo4jAdminBoot"
EXERCISE = Path(__file__).with_name("exercise.cypher")
FIX_PASSWORD = Path(__file__).with_name("fix_password.cypher")


def start(
    home: Path,
    *,
    bolt: int | None = None,
    http: int | None = None,
    password: str | None = None,
    heap: str = "512m",
    page_cache: str = "256m",
    settings: Mapping[str, str] | None = None,
    steady: bool = False,
) -> Server:
    """Starts a server on the data in `home` (made when it is not there); it answers Bolt.

    `bolt`, `http`: ports of 127.0.0.1, free ones by default. `password`: of the user neo4j,
    fixed by the first start of a home; None: no password is asked. `heap`, `page_cache`: as
    Neo4j writes sizes. `settings`: further lines for neo4j.conf. `steady`: run as a server
    in use does (optimizing compiler, default collector), for measuring; starts slower.

    It ends with this process at the latest, and with the thread that called this: call it
    from the main thread. UserError when it cannot run or does not come up.
    """
    ports = free_ports()
    server = Server(home, bolt or next(ports), http or next(ports), password, heap, steady)
    lines = {"server.memory.pagecache.size": page_cache, **(settings or {})}
    server.configure(lines)
    server.start()
    return server


class Server:
    """A server of one's own. `start` makes one; `with` stops it at the end."""

    def __init__(
        self,
        home: Path,
        bolt: int,
        http: int,
        password: str | None = None,
        heap: str = "512m",
        steady: bool = False,
    ) -> None:
        self.home = home.absolute()
        self.url = f"neo4j://{HOST}:{bolt}"
        self.http_url = f"http://{HOST}:{http}"
        self.password = password
        self._bolt, self._http = bolt, http
        self._heap = heap
        self._flags = [] if steady else QUICK
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password, as the driver takes them."""
        return None if self.password is None else ("neo4j", self.password)

    @property
    def pid(self) -> int | None:
        """Of the running server; None when it does not run."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and running else None

    @property
    def browser_url(self) -> str:
        """Neo4j Browser, ready to connect to this server."""
        return f"{self.http_url}/browser/?connectURL={self.url}"

    def configure(self, settings: Mapping[str, str]) -> None:
        """Writes neo4j.conf; what it says holds from the next start."""
        for folder in ("conf", "data", "import", "logs", "plugins", "run"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        lines = {
            "server.default_listen_address": HOST,
            "server.default_advertised_address": HOST,
            "server.bolt.listen_address": f":{self._bolt}",
            "server.bolt.advertised_address": f":{self._bolt}",
            "server.http.listen_address": f":{self._http}",
            "server.http.advertised_address": f":{self._http}",
            "server.https.enabled": "false",
            "server.memory.heap.initial_size": self._heap,
            "server.memory.heap.max_size": self._heap,
            "dbms.security.auth_enabled": str(self.password is not None).lower(),
            "dbms.usage_report.enabled": "false",
            "client.allow_telemetry": "false",
            "browser.remote_content_hostname_whitelist": f"localhost,{HOST}",
            "db.tx_log.preallocate": "false",
            # Stopping waits for these; with their defaults it takes ten seconds.
            "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
            "internal.dbms.bolt.netty_server_shutdown_timeout": "1",
            **settings,
        }
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        (self.home / "conf" / "neo4j.conf").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Starts it on its ports and data; returns when it answers."""
        self._run([*make_ready(), *self._flags])

    def wait_for_browser(self) -> None:
        """Returns when the HTTP port answers too, a moment after Bolt. UserError otherwise."""
        self._wait(lambda: _listens(self._http))

    def stop(self) -> None:
        """Ends it in order (SIGTERM); nothing when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once (SIGKILL), as a power failure does; nothing when it does not run."""
        self._end(signal.SIGKILL)

    def admin(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `neo4j-admin WORDS` on and in this home and waits. For the caller to look at:
        `returncode`, `stdout`, `stderr`. The server must not run for what changes its data."""
        command = [*self._java(*make_ready(), *QUICK), ADMIN, *words]
        environment = os.environ | self._admin_environment()
        return subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True
        )

    def admin_script(self, path: Path) -> Path:
        """Writes a program at `path` that is `neo4j-admin` for this home."""
        told = [f"export {name}={shlex.quote(v)}" for name, v in self._admin_environment().items()]
        command = shlex.join([*self._java(*make_ready(), *QUICK), ADMIN])
        path.write_text("\n".join(["#!/bin/sh", *told, f'exec {command} "$@"', ""]))
        path.chmod(0o755)
        return path

    def _admin_environment(self) -> dict[str, str]:
        return {"NEO4J_HOME": str(self.home), "NEO4J_CONF": str(self.home / "conf")}

    def _java(self, *flags: str) -> list[str]:
        return [str(install.java()), *flags, "-cp", f"{install.prepare()}/*"]

    def _run(self, flags: list[str]) -> None:
        assert self.pid is None, "it runs already"
        _refuse_taken(self._bolt)
        _refuse_taken(self._http)
        memory = [f"-Xms{self._heap}", f"-Xmx{self._heap}"]
        places = [f"--home-dir={self.home}", f"--config-dir={self.home / 'conf'}"]
        command = [*self._java(*flags, *memory, *OPEN), ENTRY, *places]
        with self._log().open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for who started it, who stops it in order
            )
        atexit.register(self.kill)
        try:
            self._wait(self._answers)
        except BaseException:
            self.kill()
            raise

    def _wait(self, up: Callable[[], bool]) -> None:
        until = time.monotonic() + START_SECONDS
        while not up():
            if self.pid is None:
                raise UserError(f"Neo4j ended while it started; its log ends: {self._tail()}")
            if time.monotonic() > until:
                raise UserError(
                    f"Neo4j did not answer within {START_SECONDS} s; its log ends: {self._tail()}"
                )
            time.sleep(0.05)

    def _answers(self) -> bool:
        if not _listens(self._bolt):
            return False
        import neo4j

        try:
            with neo4j.GraphDatabase.driver(self.url, auth=self.auth) as driver:
                driver.execute_query("RETURN 1")
        except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError) as error:
            if str(getattr(error, "code", "")).startswith("Neo.ClientError.Security"):
                self._fix_password()
            return False
        return True

    def _fix_password(self) -> None:
        """Ours instead of the one that a new home has, which is good for nothing but this."""
        import neo4j

        try:
            with neo4j.GraphDatabase.driver(self.url, auth=("neo4j", "neo4j")) as driver:
                [statement] = _statements(FIX_PASSWORD)
                driver.execute_query(statement, password=self.password, database_="system")
        except neo4j.exceptions.AuthError:
            raise UserError(
                f"The server in {self.home} has another password.",
                hint="the first start of a folder fixes it; take another folder.",
            ) from None
        except neo4j.exceptions.ClientError as error:
            raise UserError(f"Neo4j refused the password: {error.message}") from None

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.kill)
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log(self) -> Path:
        return self.home / "logs" / "console.log"

    def _tail(self) -> str:
        logs = (self.home / "logs" / "neo4j.log", self._log())
        lines = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
        told = [line.strip() for line in lines if not line.lstrip().startswith("at ")]
        return " | ".join(told[-TAIL:])

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_ports() -> Iterator[int]:
    """Ports of 127.0.0.1 that nobody listens on, in random order."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if is_free(port):
            yield port


def is_free(port: int) -> bool:
    """Whether a server can listen on this port of 127.0.0.1."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True


def _refuse_taken(port: int) -> None:
    if not is_free(port):
        raise UserError(f"Port {port} of {HOST} is taken by another program.")


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


@functools.cache
def make_ready() -> list[str]:
    """Flags that let a Java take the classes it needs from one file, made by the first start.

    Measured: a server answers after 2.5 s instead of 4; making the file takes 15 s once.
    """
    install.prepare()
    archive = install.class_archive()
    if not archive.exists():
        with install.locked():
            if not archive.exists():
                _record(archive)
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error"]


def _record(archive: Path) -> None:
    """A server's life in short, so that the classes of one are in the archive."""
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix="making-") as folder:
        made = Path(folder) / archive.name
        ports = free_ports()
        server = Server(Path(folder) / "home", next(ports), next(ports))
        server.configure({})
        server._run([*QUICK, f"-XX:ArchiveClassesAtExit={made}"])
        with server:
            _exercise(server)
        if made.exists():  # a start without it is only slower
            made.rename(archive)


def _exercise(server: Server) -> None:
    import neo4j

    with neo4j.GraphDatabase.driver(server.url) as driver, driver.session() as session:
        for statement in _statements(EXERCISE):
            session.run(statement).consume()


def _statements(path: Path) -> list[Any]:
    """The statements of a file, which semicolons separate."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("//"))
    return text.split(";")
