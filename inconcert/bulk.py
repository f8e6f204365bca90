"""`load --bulk`: a first load into a Neo4j server, staged in a folder and imported whole.

The facts are loaded into an embedded store in the folder, several kinds one after another;
after each the files for neo4j-admin are written anew. Where neo4j-admin is at hand and the
server does not run, it is run; nothing that is in the database already is replaced by that.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graph.errors import DamagedError, UserError
from graph.neo4j.bulk import SCRIPT
from graph.store import Store, init_store, is_server, open_store

if TYPE_CHECKING:
    from graph.backup import Backup, Progress
    from graph.neo4j.store import Neo4jStore

CARD = "stage.json"
LOG = "import.log"
HERE = ("localhost", "127.0.0.1", "::1")
OVERWRITE = "--overwrite-destination"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Card:
    """What a stage is for. `imported`: neo4j-admin was run from here."""

    url: str
    store_id: str
    imported: bool = False


@dataclass(frozen=True)
class Stage:
    """A folder in which a first load is made ready."""

    folder: Path
    card: Card
    store: Store
    answers: bool
    """Whether the server runs."""

    @property
    def files(self) -> Path:
        """Where the files for neo4j-admin are."""
        return self.folder / "files"


def open_stage(url: str, folder: Path, say: Say) -> Stage:
    """The stage in a folder, begun when there is none.

    The store's properties and its key are those of the empty store at the server, where it
    answers and has one; else they are made as `store init` makes them. UserError when the
    server has facts, or the folder is a stage for another store.
    """
    if not is_server(url):
        raise UserError(
            f"--bulk is for a first load into a Neo4j server, and {url} is a folder.",
            "Load without --bulk.",
        )
    answers, there = _look(url)
    card = _card(folder)
    if card is None:
        card = Card(url, there.id if there else str(uuid.uuid4()))
        folder.mkdir(parents=True, exist_ok=True)
        _write_card(folder, card)
    _refuse_other(folder, card, url, there)
    return Stage(folder, card, _staged(folder, there, say), answers)


def hand_over(stage: Stage, say: Say, progress: Progress) -> None:
    """Write the files of all that is staged; import them, or say how."""
    shutil.rmtree(stage.files, ignore_errors=True)
    backup, url = stage.store.backup(), stage.card.url
    words, place = _export(stage.store, backup, stage.files, url, stage.card.store_id, progress)
    say(f"The store's key is in {place}; keep a copy apart from the server.")
    admin = find_admin()
    if admin and not stage.answers and urlsplit(url).hostname in HERE:
        progress(backup.record.rows, "neo4j-admin")
        _import(stage, admin, words)
        say(f"Imported. Next: start the server, then `{init_line(url)}`.")
    else:
        say(f"The files for neo4j-admin are in {stage.files}; {SCRIPT} there does:")
        say(f"  {command_line(stage.files, words)}")
        say(next_steps(stage.files, url, words))


def export(
    store: Store, backup: Backup, folder: Path, url: str, progress: Progress
) -> tuple[list[str], Path]:
    """Write a store's import files to a new or empty folder, as a new store for the server
    at `url`; returns the words of the command, and where the key was put. UserError when no
    such folder can be."""
    return _export(store, backup, folder, url, str(uuid.uuid4()), progress)


def _export(
    store: Store, backup: Backup, folder: Path, url: str, store_id: str, progress: Progress
) -> tuple[list[str], Path]:
    from graph.disk import room_for, whole_folder
    from graph.keys import keep_key
    from graph.neo4j.bulk import Target, write_files
    from graph.neo4j.server import Address
    from graph.neo4j.store import key_path

    address = Address.of(url)
    target = Target(address.database, address.prefix, store_id)
    place = key_path(store_id)
    with whole_folder(folder) as draft, room_for(folder):
        keep_key(place, store.key)
        return write_files(backup, draft, target, progress), place


def command_line(files: Path, words: list[str]) -> str:
    """The exact command, as a shell takes it."""
    return f"cd {shlex.quote(str(files))} && neo4j-admin {shlex.join(words)}"


def next_steps(files: Path, url: str, words: list[str]) -> str:
    """What is left to do."""
    return (
        f"Next: stop the server; as the user that it runs as, run {script(files)}, which "
        f"replaces all that is in the database '{words[3]}'; start the server; then "
        f"`{init_line(url)}`."
    )


def script(files: Path) -> str:
    """What runs the import, as a shell takes it."""
    return shlex.quote(str(files / SCRIPT))


def init_line(url: str) -> str:
    """The command that makes a store of what was imported."""
    return f"inconcert store init {shlex.quote(url)}"


def find_admin() -> Path | None:
    """neo4j-admin: as INCONCERT_NEO4J_ADMIN names it, on the PATH, or in NEO4J_HOME."""
    named = os.environ.get("INCONCERT_NEO4J_ADMIN")
    if named:
        if not Path(named).is_file():
            raise UserError(f"INCONCERT_NEO4J_ADMIN names {named}, which is no file.")
        return Path(named).absolute()
    if found := shutil.which("neo4j-admin"):
        return Path(found)
    home = os.environ.get("NEO4J_HOME")
    inside = Path(home) / "bin" / "neo4j-admin" if home else None
    return inside if inside and inside.is_file() else None


def _import(stage: Stage, admin: Path, words: list[str]) -> None:
    """Run neo4j-admin. It replaces a database only where an earlier import from this stage
    made it; UserError when it fails."""
    if not stage.card.imported:
        words = [word for word in words if word != OVERWRITE]
    done = subprocess.run(
        [admin, *words], cwd=stage.files, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    log = stage.files / LOG
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise UserError(
            f"neo4j-admin failed: {_reason(done.stdout + done.stderr)} (all that it said is in "
            f"{log}).",
            f"If the database '{words[3]}' may be replaced, run {script(stage.files)}, then "
            f"start the server and run `{init_line(stage.card.url)}`.",
        )
    _write_card(stage.folder, replace(stage.card, imported=True))


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if "rror" in line or "already exist" in line or "in use" in line]
    return (told or lines or ["it said nothing"])[0].rstrip(".")


# -- what is there ------------------------------------------------------------------------


def _look(url: str) -> tuple[bool, Neo4jStore | None]:
    """Whether the server answers, and its store, which has no facts. UserError when it has,
    or when something else is in the database."""
    from graph.neo4j.schema import refuse_foreign, refuse_others
    from graph.neo4j.server import NobodyAnswersError, Server
    from graph.neo4j.store import Neo4jStore, store_node

    try:
        server = Server.connect(url)
    except NobodyAnswersError:
        return False, None
    refuse_others(server)
    node = store_node(server)
    if node is None:
        refuse_foreign(server)
        server.close()
        return True, None
    server.close()
    store = Neo4jStore.open(url)
    if store.batches():  # a supply, too, would be lost by the import
        raise UserError(
            f"{url} has facts already, or a supply, and --bulk is for a first load.",
            "Load without --bulk.",
        )
    return True, store


def _card(folder: Path) -> Card | None:
    path = folder / CARD
    if not path.exists():
        if folder.exists() and any(child.name != "store" for child in folder.iterdir()):
            raise UserError(
                f"The folder {folder} holds something else.",
                "Name a new or an empty one with --bulk-folder.",
            )
        return None
    try:
        return Card(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise DamagedError(f"The file {path} is damaged.") from None


def _write_card(folder: Path, card: Card) -> None:
    draft = folder / f"{CARD}.new"
    draft.write_text(json.dumps(asdict(card)), encoding="utf-8")
    draft.rename(folder / CARD)


def _refuse_other(folder: Path, card: Card, url: str, there: Neo4jStore | None) -> None:
    from graph.neo4j.bulk import finished

    elsewhere = "Name another folder with --bulk-folder, or remove this one."
    if card.url != url or (there is not None and there.id != card.store_id):
        raise UserError(f"{folder} is a stage for another store ({card.url}).", elsewhere)
    if finished(card.store_id).exists():
        raise UserError(
            f"What is staged in {folder} was imported, and {url} is a store since.",
            "Start the server and load without --bulk.",
        )


def _staged(folder: Path, there: Neo4jStore | None, say: Say) -> Store:
    """The embedded store of a stage, made when there is none."""
    from graph.backup import restore

    place = folder / "store"
    if (place / "ledger.sqlite").exists():
        return open_store(str(place))
    if there is not None:
        refuse_log(there)
        return restore(there.backup(), there.key, str(place))
    store = init_store(str(place))
    say(
        f"The stage {place} was made as `store init` makes a store: holdings stated, ids as "
        "written. To have another, remove it and run `inconcert store init` first, at the server "
        "or there."
    )
    return store


def refuse_log(store: Store) -> None:
    """UserError where a store has a review log: an import would lose it."""
    if store.log.head().number:
        raise UserError(
            f"The store {store.url} has a review log, which an import would not take along.",
            "Load without --bulk; `inconcert store backup` and `restore` move it to another home.",
        )
