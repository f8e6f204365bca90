"""A connection to a Neo4j server: statements by name, errors as sentences."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import neo4j
from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConfigurationError,
    DatabaseError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from cypher import is_prefix, statement
from graph.errors import InconcertError, UnreachableError, UserError

SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
OLDEST = (5, 26)
"""The oldest version of Neo4j that the statements are written for (a long-term one)."""

RETRY_SECONDS = 180.0
"""How long a transaction is tried again while a server restarts."""

CONNECT_SECONDS = 10.0

Step = tuple[str, dict[str, Any]]
"""A statement's name and its parameters."""

_T = TypeVar("_T")

logging.getLogger("neo4j").addHandler(logging.NullHandler())  # errors are said in sentences


class TransactionTooLargeError(Exception):
    """The server has no memory for a transaction of this size: send less at once."""


@dataclass(frozen=True)
class Address:
    """Where a store is: what its URL and the environment say."""

    url: str
    """As given; names the store."""
    server: str
    """The URL without our own query."""
    prefix: str
    database: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL such as neo4j://host:7687?prefix=Team. UserError when it is none."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise UserError(
                f"{parts.scheme}:// is no kind of store.",
                f"A store is a folder or a server at {', '.join(s + '://' for s in SCHEMES)}.",
            )
        if parts.username or parts.password:
            raise UserError(
                "A user or a password does not belong in a URL, where others can read it.",
                "Set NEO4J_USERNAME and NEO4J_PASSWORD, or NEO4J_PASSWORD_FILE.",
            )
        query = parse_qs(parts.query, keep_blank_values=True)
        prefix = query.pop("prefix", [""])[-1]
        if query or parts.path.strip("/"):
            raise UserError(
                f"The URL {url} says more than a server and a prefix.",
                "The database is named by NEO4J_DATABASE.",
            )
        if prefix and not is_prefix(prefix):
            raise UserError(
                f"'{prefix}' cannot stand before labels: a letter, then letters, digits or _."
            )
        if not parts.hostname:
            raise UserError(f"The URL {url} names no server.", "Such as neo4j://localhost:7687.")
        database = os.environ.get("NEO4J_DATABASE") or "neo4j"
        return cls(url, f"{parts.scheme}://{parts.netloc}", prefix, database)


class Server:
    """A Neo4j server. Safe to use from several threads."""

    def __init__(self, address: Address, driver: neo4j.Driver) -> None:
        self.address = address
        self.prefix = address.prefix
        self.database = address.database
        self._driver = driver

    @classmethod
    def connect(cls, url: str) -> Server:
        """Connect to the server at a URL, with the environment's credentials.

        UnreachableError when nobody answers, the credentials are refused or there is no
        such database; UserError for a wrong URL or a version that is too old.
        """
        address = Address.of(url)
        with explained(address):
            driver = neo4j.GraphDatabase.driver(
                address.server,
                auth=credentials(),
                max_transaction_retry_time=RETRY_SECONDS,
                connection_timeout=CONNECT_SECONDS,
                notifications_min_severity="OFF",
                user_agent="inconcert",
            )
            try:
                driver.verify_connectivity()
                server = cls(address, driver)
                _refuse_old(server.read("store/version")[0]["version"], url)
            except BaseException:
                driver.close()
                raise
        return server

    def read(self, name: str, /, **parameters: Any) -> list[neo4j.Record]:
        """All rows of a statement, in a transaction of its own."""
        return self._run(lambda run: run(name, parameters), writing=False)

    def write(self, *steps: Step) -> list[list[neo4j.Record]]:
        """The rows of several statements, run in one transaction."""
        return self.transact(lambda run: [run(name, parameters) for name, parameters in steps])

    def transact(self, work: Callable[[Run], _T]) -> _T:
        """One write transaction: `work` is given `run(name, parameters) -> rows` and is
        called again where the driver says that trying again is safe."""
        return self._run(work, writing=True)

    def outside(self, name: str, /, **parameters: Any) -> neo4j.ResultSummary:
        """Run a statement that manages its own transactions, or changes the schema."""
        with explained(self.address), self._session() as session:
            return session.run(self._text(name), parameters).consume()

    def text(self, query: str, **parameters: Any) -> list[neo4j.Record]:
        """All rows of a statement given as text: for a person's own queries and for tests."""
        with explained(self.address), self._session() as session:
            return list(session.run(query, parameters))

    def close(self) -> None:
        """Let go of the connections."""
        self._driver.close()

    def _session(self) -> neo4j.Session:
        return self._driver.session(database=self.database)

    def _text(self, name: str) -> Any:
        return statement(name, self.prefix).text

    def _run(self, work: Callable[[Run], _T], *, writing: bool) -> _T:
        def unit(transaction: neo4j.ManagedTransaction) -> _T:
            def run(name: str, parameters: dict[str, Any]) -> list[neo4j.Record]:
                try:
                    return list(transaction.run(self._text(name), parameters))
                except TransientError as error:
                    # The driver would send the same again, for ever too large.
                    if "OutOfMemory" in str(error.code):
                        raise TransactionTooLargeError from None
                    raise

            return work(run)

        with explained(self.address), self._session() as session:
            return session.execute_write(unit) if writing else session.execute_read(unit)


Run = Callable[[str, dict[str, Any]], list[neo4j.Record]]
"""Runs a named statement with its parameters inside a transaction."""


def credentials() -> tuple[str, str] | None:
    """User and password as the environment has them; None where it has no password."""
    user = os.environ.get("NEO4J_USERNAME") or "neo4j"
    password = os.environ.get("NEO4J_PASSWORD")
    path = os.environ.get("NEO4J_PASSWORD_FILE")
    if password is None and path:
        try:
            password = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"The password file {path} cannot be read: {error}.") from None
    return (user, password) if password else None


def _refuse_old(version: str, url: str) -> None:
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if found < OLDEST:
        raise UserError(
            f"The server at {url} is Neo4j {version}; inconcert needs "
            f"{'.'.join(map(str, OLDEST))} or later.",
            "Upgrade it, or name another server.",
        )


@contextmanager
def explained(address: Address) -> Iterator[None]:
    """Turns the driver's errors into ours, each one clear sentence."""
    try:
        yield
    except (DriverError, Neo4jError) as error:
        said = _said(address, error)
        if said is None:
            raise
        raise said from None


def _said(address: Address, error: Exception) -> InconcertError | None:
    """The error in the user's words; None when it is a bug."""
    where = address.server
    code = str(getattr(error, "code", "") or "")
    first = (str(getattr(error, "message", "") or error).strip().splitlines() or [""])[0].rstrip(
        "."
    )
    if isinstance(error, AuthError) or code.startswith("Neo.ClientError.Security"):
        return UnreachableError(
            f"The server at {where} refuses the user or the password.",
            "Set NEO4J_USERNAME and NEO4J_PASSWORD, or NEO4J_PASSWORD_FILE.",
        )
    if code == "Neo.ClientError.Database.DatabaseNotFound":
        return UnreachableError(
            f"The server at {where} has no database '{address.database}'.",
            "NEO4J_DATABASE names the one to use; Community Edition has one, 'neo4j'.",
        )
    if isinstance(error, ServiceUnavailable | SessionExpired):
        return UnreachableError(
            f"No Neo4j server answers at {where}.",
            "Is it running, and is this its Bolt address? What was committed stands.",
        )
    if isinstance(error, ConfigurationError):
        return UserError(f"There is no way to connect to {where}: {first}.")
    if isinstance(error, DatabaseError | TransientError) or "Unavailable" in code:
        return UnreachableError(
            f"The server at {where} failed ({code or type(error).__name__}: {first}); "
            "what was committed before stands, nothing of this command will be seen.",
            "Look at its log: is its disk full? Make room, restart it, run the command again.",
        )
    if isinstance(error, ClientError) and code.endswith("AccessMode"):
        return UserError(f"The server at {where} takes no writes: it is read-only.")
    return None
