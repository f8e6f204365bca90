"""A connection to a Neo4j server: statements by name, errors as sentences."""

from __future__ import annotations

import logging
import os
import re
import shlex
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

import neo4j
import tenacity
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    ConnectionAcquisitionTimeoutError,
    ConstraintError,
    DatabaseError,
    DriverError,
    IncompleteCommit,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
    UnsupportedServerProduct,
)

from cypher import is_prefix, statement
from graph.errors import InconcertError, UnreachableError, UserError
from graph.threads import LEAVE_SECONDS, Threads, aside

SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")
OLDEST = (5, 26)
"""The oldest version of Neo4j that the statements are written for (a long-term one)."""

RETRY_SECONDS = 180.0
"""How long a transaction is tried again while a server restarts; INCONCERT_RETRY_SECONDS
says another time."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 5.0
BETWEEN_ATTEMPTS = tenacity.wait_exponential_jitter(
    multiplier=FIRST_DELAY, max=LONGEST_DELAY, jitter=FIRST_DELAY
)
"""Seconds between one attempt and the next."""

GLANCE_SECONDS = 0.05
"""How often one who waits for the next attempt looks whether to give up."""

CONNECT_SECONDS = 10.0

SET_PASSWORD = "Set NEO4J_USERNAME and NEO4J_PASSWORD, or NEO4J_PASSWORD_FILE."

_OF_TLS = (
    "A certificate that the server signed itself is taken by neo4j+ssc://, no encryption by "
    "neo4j://. "
)

Step = tuple[str, dict[str, Any]]
"""A statement's name and its parameters."""

_T = TypeVar("_T")

logging.getLogger("neo4j").addHandler(logging.NullHandler())  # errors are said in sentences


class NobodyAnswersError(UnreachableError):
    """No server listens there, or it went away."""


class TransactionTooLargeError(UserError):
    """The server has no memory for a transaction of this size: send less at once."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The server at {where} has too little memory for a transaction; nothing of this "
            "command will be seen.",
            "Raise db.memory.transaction.max, dbms.memory.transaction.total.max or "
            "server.memory.heap.max_size in its neo4j.conf.",
        )


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
        """Read a URL such as neo4j://host:7687?prefix=Team. UserError when it is none; what
        may be a password is not repeated."""
        if "@" in url:
            raise UserError(
                "A user or a password does not belong in a URL, where others can read it.",
                SET_PASSWORD,
            )
        parts = _split(url)
        query = parse_qs(parts.query, keep_blank_values=True)
        prefix = query.pop("prefix", [""])[-1]
        where = f"{parts.scheme}://{parts.netloc}"
        if query or parts.path.strip("/") or parts.fragment:
            raise _says_more(where, query)
        if prefix and not is_prefix(prefix):
            raise UserError(
                f"'{prefix}' cannot stand before labels: a letter, then letters, digits or _."
            )
        database = os.environ.get("NEO4J_DATABASE") or "neo4j"
        if database == "system":
            raise UserError(
                "The database 'system' is the server's own and holds no facts.",
                "NEO4J_DATABASE names the one to use; Community Edition has one, 'neo4j'.",
            )
        return cls(url, where, prefix, database)


def _says_more(where: str, query: dict[str, list[str]]) -> UserError:
    """Names the words of a query that mean nothing, but nothing that may be a password: no
    value, and no word that has none."""
    words = [f"'{word}'" for word, values in query.items() if any(values)]
    if not words:
        return UserError(
            f"The URL {where}… says more than a server and a prefix.",
            "The database is named by NEO4J_DATABASE, the password by NEO4J_PASSWORD.",
        )
    return UserError(
        f"The URL {where}?… says {' and '.join(words)}, which means nothing here.",
        f"It may say 'prefix': {shlex.quote(f'{where}?prefix=Team')}. The database is named by "
        "NEO4J_DATABASE, the password by NEO4J_PASSWORD.",
    )


def _split(url: str) -> SplitResult:
    """A URL in parts. UserError unless it names a kind of server, a host and, if at all, a port."""
    if "://" not in url:
        raise UserError(f"'{url}' is no server's URL.", "One is such as neo4j://localhost:7687.")
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise UserError(
            f"{scheme}:// is no kind of store.",
            f"A store is a folder or a server at {', '.join(s + '://' for s in SCHEMES)}.",
        )
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        named = None
    if not named:
        raise UserError(
            f"The {scheme}:// URL does not name a server and a port.",
            "Such as neo4j://localhost:7687.",
        )
    return parts


@dataclass
class _Call:
    """One transaction that is wanted, whatever attempts it takes."""

    work: Callable[[Run], Any]
    access: str
    repeatable: bool
    abandoned: bool = False
    """Nobody waits for it any more."""

    def refuse_abandoned(self) -> None:
        """Whoever left may be clearing up already: nothing is to be committed behind him."""
        if self.abandoned:
            raise SessionExpired("nobody waits for it")


class Server:
    """A Neo4j server. Safe to use from several threads.

    The driver does not bear a signal: answers are lost between two bytes, and it waits for
    them. So the main thread has another one talk, and where a signal ends its wait the
    connections are cut: the server takes back what was not committed.
    """

    def __init__(self, address: Address, driver: neo4j.Driver) -> None:
        self.address = address
        self.prefix = address.prefix
        self.database = address.database
        self._driver = driver
        self._patience = _retry_seconds()
        self._hurry = False
        weakref.finalize(self, driver.close)

    @classmethod
    def connect(cls, url: str) -> Server:
        """Connect to the server at a URL, with the environment's credentials.

        UnreachableError when nobody answers, the credentials are refused or there is no
        such database; UserError for a wrong URL or a version that is too old.
        """
        address = Address.of(url)
        with explained(address):
            server = cls(address, _driver(address))
            try:
                aside(server._driver.verify_connectivity, server.cut)
                with server.impatient():
                    refuse_old(server.read("store/version")[0]["version"], url)
            except BaseException:
                server.close()
                raise
        return server

    def read(self, name: str, /, **parameters: Any) -> list[neo4j.Record]:
        """All rows of a statement, in a transaction of its own."""
        return self._run(lambda run: run(name, parameters), neo4j.READ_ACCESS, repeatable=True)

    def write(self, *steps: Step) -> list[list[neo4j.Record]]:
        """The rows of several statements, run in one transaction."""
        return self.transact(lambda run: [run(name, parameters) for name, parameters in steps])

    def transact(self, work: Callable[[Run], _T], *, repeatable: bool = False) -> _T:
        """One write transaction: `work` is given `run(name, parameters) -> rows` and is
        called again where the driver says that trying again is safe. `repeatable`: it is
        safe too where the answer to a commit was lost, since doing it twice is as once."""
        return self._run(work, neo4j.WRITE_ACCESS, repeatable)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Within it nothing is tried again, and what waits to be tried again gives up."""
        before, self._hurry = self._hurry, True
        try:
            yield
        finally:
            self._hurry = before

    def cut(self) -> None:
        """Drop every connection: who waits for an answer gets an error instead."""
        dropped, self._driver = self._driver, _driver(self.address)
        weakref.finalize(self, self._driver.close)

        def close() -> None:
            # it says good-bye even while another thread is writing
            with suppress(Exception):
                dropped.close()

        Thread(target=close, daemon=True).start()

    def end(self, threads: Threads) -> None:
        """End threads that talk with the server, however long it takes to answer them."""
        with self.impatient():
            if not threads.close(LEAVE_SECONDS):
                self.cut()
                threads.close(LEAVE_SECONDS)

    def outside(
        self, name: str, /, *, repeatable: bool = False, **parameters: Any
    ) -> neo4j.ResultSummary:
        """Run a statement that manages its own transactions, or changes the schema.
        `repeatable`: it may be tried again, as two that make a schema at once lock each other."""

        def run() -> neo4j.ResultSummary:
            with self._session() as session:
                return session.run(self._text(name), parameters).consume()

        def patiently() -> neo4j.ResultSummary:
            retrying = tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(TransientError),
                wait=BETWEEN_ATTEMPTS,
                stop=tenacity.stop_after_delay(self._patience),
                reraise=True,
            )
            return retrying(run)

        with explained(self.address):
            return aside(patiently if repeatable else run, self.cut)

    def close(self) -> None:
        """Let go of the connections."""
        self._driver.close()

    def _session(self, access: str = neo4j.WRITE_ACCESS) -> neo4j.Session:
        # in a cluster a read after a write may otherwise go to a member that lags
        return self._driver.session(
            database=self.database,
            default_access_mode=access,
            bookmark_manager=self._driver.execute_query_bookmark_manager,
        )

    def _text(self, name: str) -> Any:
        return statement(name, self.prefix).text

    def _run(self, work: Callable[[Run], _T], access: str, repeatable: bool = False) -> _T:
        """One transaction, tried again for some time while a server restarts."""
        call = _Call(work, access, repeatable)

        def give_up() -> None:
            call.abandoned = True

        with explained(self.address):
            done: _T = aside(partial(self._repeated, call), self.cut, give_up)
            return done

    def _repeated(self, call: _Call) -> Any:
        def is_over() -> bool:
            return self._hurry or call.abandoned

        def wait(seconds: float) -> None:
            until = time.monotonic() + seconds
            while not is_over() and time.monotonic() < until:
                time.sleep(GLANCE_SECONDS)

        patience = tenacity.stop_after_delay(self._patience)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_be_repeated),
            wait=BETWEEN_ATTEMPTS,
            stop=lambda state: is_over() or patience(state),
            sleep=wait,
            reraise=True,
        )
        return retrying(self._attempt, call)

    def _attempt(self, call: _Call) -> Any:
        call.refuse_abandoned()
        with self._session(call.access) as session, session.begin_transaction() as transaction:

            def run(name: str, parameters: dict[str, Any]) -> list[neo4j.Record]:
                return list(transaction.run(self._text(name), parameters))

            try:
                done = call.work(run)
                call.refuse_abandoned()
                transaction.commit()
            except IncompleteCommit:
                if not call.repeatable:
                    raise
                raise SessionExpired("whether it was done does not matter") from None
            except TransientError as error:
                if "OutOfMemory" in str(error.code):  # the same again is as large again
                    raise TransactionTooLargeError(self.address.server) from None
                raise
            return done


def _driver(address: Address) -> neo4j.Driver:
    return neo4j.GraphDatabase.driver(
        address.server,
        auth=credentials(),
        connection_timeout=CONNECT_SECONDS,
        # some listen and never answer
        connection_acquisition_timeout=2 * CONNECT_SECONDS,
        notifications_min_severity="OFF",
        user_agent="inconcert",
    )


def _retry_seconds() -> float:
    text = os.environ.get("INCONCERT_RETRY_SECONDS") or str(RETRY_SECONDS)
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise UserError(f"INCONCERT_RETRY_SECONDS is '{text}', not a number of seconds.")
    return float(text)


def _may_be_repeated(error: BaseException) -> bool:
    """Whether the driver says so, or no connection was to be had at all."""
    return isinstance(error, ConnectionAcquisitionTimeoutError) or (
        isinstance(error, DriverError | Neo4jError) and error.is_retryable()
    )


Run = Callable[[str, dict[str, Any]], list[neo4j.Record]]
"""Runs a named statement with its parameters inside a transaction."""


def credentials() -> tuple[str, str] | None:
    """User and password as the environment has them; None where it has no password."""
    user = os.environ.get("NEO4J_USERNAME") or "neo4j"
    password = os.environ.get("NEO4J_PASSWORD")
    path = os.environ.get("NEO4J_PASSWORD_FILE")
    if not password and path:
        try:
            password = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise UserError(f"The password file {path} is not UTF-8 text.") from None
        except OSError as error:
            raise UserError(f"The password file {path} cannot be read: {error.strerror}.") from None
    return (user, password) if password else None


def refuse_old(version: str, url: str) -> None:
    """UserError for a version (such as "5.20.0") that the statements are too new for."""
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
    code = str(getattr(error, "code", "") or "")
    if isinstance(error, DriverError):
        return _unreached(address, error)
    if isinstance(error, AuthError) or code.startswith("Neo.ClientError.Security"):
        return _refused(address, code)
    return _failed(address, code, error)


def _unreached(address: Address, error: DriverError) -> InconcertError | None:
    """When nobody answers as a Neo4j server does."""
    where = address.server
    if isinstance(error, IncompleteCommit):
        return UnreachableError(
            f"The server at {where} went away when it was to commit: whether it did is not known.",
            "Look (`inconcert store info`, `inconcert runs`) before you do it again.",
        )
    if isinstance(error, ServiceUnavailable | SessionExpired | ConnectionAcquisitionTimeoutError):
        encrypted = "+" in where.partition("://")[0]
        return NobodyAnswersError(
            f"No Neo4j server answers at {where}{' with encryption (TLS)' if encrypted else ''}.",
            "Is it running, and is this its Bolt address? "
            + (_OF_TLS if encrypted else "")
            + "What was committed stands.",
        )
    if isinstance(error, UnsupportedServerProduct):
        return NobodyAnswersError(
            f"What answers at {where} is no Neo4j server.", "Is this its Bolt address?"
        )
    if isinstance(error, ConfigurationError):
        return UserError(f"There is no way to connect to {where}: {_first_line(error)}.")
    return None


def _refused(address: Address, code: str) -> InconcertError:
    """When the server does not let the user in."""
    where = address.server
    if code.endswith("RateLimit"):
        return UnreachableError(
            f"The server at {where} lets nobody in for a while: too many wrong passwords.",
            "Wait, then try again with the right one.",
        )
    if code.endswith("CredentialsExpired"):
        return UnreachableError(
            f"The server at {where} wants its first password changed before anything else.",
            "Change it in Neo4j Browser or with cypher-shell.",
        )
    if code.endswith("Forbidden"):
        return UnreachableError(
            f"The server at {where} does not allow this to the user.", SET_PASSWORD
        )
    if credentials() is None:
        return UnreachableError(
            f"The server at {where} asks for a password and none is set.", SET_PASSWORD
        )
    return UnreachableError(
        f"The server at {where} refuses the user or the password.", SET_PASSWORD
    )


def _failed(address: Address, code: str, error: Exception) -> InconcertError | None:
    """When the server cannot do what it was asked."""
    where = address.server
    if code == "Neo.ClientError.Database.DatabaseNotFound":
        return UnreachableError(
            f"The server at {where} has no database '{address.database}'.",
            "NEO4J_DATABASE names the one to use; Community Edition has one, 'neo4j'.",
        )
    if code.endswith(("AccessMode", "ReadOnlyDatabase", "ReadOnlyAccessDatabase")):
        return UserError(f"The server at {where} takes no writes: it is read-only.")
    if "too large to index" in str(error):
        return UserError(f"An id is longer than the server at {where} can look up (8 kB).")
    if isinstance(error, DatabaseError | TransientError) or "Unavailable" in code:
        return UnreachableError(
            f"The server at {where} failed ({code}: {_first_line(error)}); "
            "what was committed before stands, nothing of this command will be seen.",
            "Look at its log: is its disk full? Make room, restart it, run the command again.",
        )
    if code.startswith("Neo.ClientError.Schema") and not isinstance(error, ConstraintError):
        return UserError(
            f"The database '{address.database}' at {where} has constraints or indexes of "
            f"something else ({_first_line(error)}).",
            "Name another server, or keep apart by a prefix: "
            + shlex.quote(f"{where}?prefix=Inconcert"),
        )
    return None


def _first_line(error: Exception) -> str:
    """What an error says, without what only its own makers read."""
    said = str(getattr(error, "message", "") or error).strip().splitlines() or [""]
    return re.sub(r"\s*\{[^}]*\}", "", said[0]).rstrip(".")
