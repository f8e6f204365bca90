"""The Java to run, and the jars to run it on: fetched once by Maven into a cache folder.

    CACHE/neo4j-VERSION/
    ├── lib/               the jars: there is all of it or nothing
    ├── classes-KEY.jsa    the classes that a start needs, made ready for one Java
    └── lock               held (flock) by who adds to the folder

CACHE is INCONCERT_CACHE, else `inconcert` in the user's cache folder (XDG_CACHE_HOME).
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

from graph.errors import UserError

POM = Path(__file__).with_name("pom.xml")
LEAST_JAVA = 17


def neo4j_version() -> str:
    """The version in the pom."""
    found = ElementTree.parse(POM).findtext(".//{*}neo4j.version")
    assert found, "the pom has no neo4j.version"
    return found


def cache() -> Path:
    """The folder that everything fetched lies in; made when it is not there."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = os.environ.get("INCONCERT_CACHE") or Path(home) / "inconcert"
    folder = Path(root).absolute() / f"neo4j-{neo4j_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def missing() -> str | None:
    """Why no server can run on this machine, as a sentence; None when one can."""
    try:
        java()
        if not (cache() / "lib").is_dir():
            _maven()
    except UserError as error:
        return error.sentence
    return None


def prepare() -> Path:
    """Fetches the jars when they are not there yet. Returns their folder.

    Takes half a minute and 140 MB of network the first time. UserError when it fails.
    """
    folder = cache() / "lib"
    if not folder.is_dir():
        with locked():
            if not folder.is_dir():
                _fetch(folder)
    return folder


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process at a time adds to the cache; the lock ends with its holder."""
    with (cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    """Into a folder of another name, renamed when whole: a killed download is never used."""
    for left in folder.parent.glob("fetching-*"):
        shutil.rmtree(left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
    words = ["--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)]
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={place}"]
    done = subprocess.run([_maven(), *words, *goal], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(place, ignore_errors=True)
        said = [line for line in done.stdout.splitlines() if "ERROR" in line] or [done.stderr]
        raise UserError(
            f"Maven could not fetch Neo4j {neo4j_version()}: {said[0].strip()}",
            hint="try again: what was fetched is kept by Maven.",
        )
    place.chmod(0o755)
    place.rename(folder)


def _maven() -> str:
    found = shutil.which("mvn")
    if found is None:
        raise UserError(
            f"Maven (mvn) is needed once, to fetch Neo4j {neo4j_version()}, and is not here.",
            hint="install it (Debian: apt-get install maven).",
        )
    return found


def java() -> Path:
    """The `java` of JAVA_HOME, else of PATH. UserError unless it is 17 or later."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    hint = f"install Java {LEAST_JAVA} (Debian: apt-get install openjdk-17-jre-headless)."
    if found is None:
        raise UserError(f"Neo4j needs Java {LEAST_JAVA} or later, and no java is here.", hint=hint)
    version = _java_version(found)
    major = re.search(r'version "(\d+)', version)
    if major is None or int(major[1]) < LEAST_JAVA:
        said = version.splitlines()[0] if version else "nothing"
        raise UserError(f"Neo4j needs Java {LEAST_JAVA} or later; {found} says {said}.", hint=hint)
    return Path(found)


@functools.cache
def _java_version(path: str) -> str:
    """What `java -version` says; its first line names the version."""
    return subprocess.run([path, "-version"], capture_output=True, text=True).stderr


def class_archive() -> Path:
    """Where the classes made ready for this Java lie, or are to lie."""
    path = str(java().resolve())
    key = sha256(f"{path}\n{_java_version(str(java()))}".encode()).hexdigest()[:12]
    return cache() / f"classes-{key}.jsa"
