"""A back-up takes the review log along, from either home to either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from queue_helpers import ANN, group, members, the_case

from graph.backup import restore
from graph.backup_folder import FolderBackup, write_backup
from graph.errors import UserError
from graph.store import Store, open_store
from inconcert.bulk import refuse_log
from review import desk as at
from review.log import act, project
from review.verify import verify


def test_a_log_comes_back_as_it_was(store: Store, take: Callable[..., Any], tmp_path: Path) -> None:
    take(group("g1", members((0, 12))), group("g2", members((20, 28))))
    key = the_cases(store)[0]
    act(store, ANN, lambda desk: at.claim(desk, ANN, key))
    act(store, ANN, lambda desk: at.comment(desk, ANN, key, "my cousin ü"))
    act(store, ANN, lambda desk: at.comment(desk, ANN, key, "to be erased"))
    gone = store.log.head().number
    act(store, ANN, lambda desk: desk.erase([gone]))
    write_backup(store.backup(), tmp_path / "kept")
    again = restore(
        FolderBackup.open(tmp_path / "kept"), store.key, str(tmp_path / "again"), project=project
    )
    assert list(again.log.events()) == list(store.log.events())
    assert again.log.words() == store.log.words()
    for kind in store.log.kinds():
        assert again.log.views(kind) == store.log.views(kind)
    before, after = verify(store), verify(again)
    assert before == after
    assert len(after.problems) == 1  # who erased those words did not record it
    again.log.write(lambda desk: at.claim(desk, ANN, key), project)


def test_a_log_that_is_written_to_meanwhile_is_kept_with_its_words(
    store: Store, take: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(group("g1", members((0, 12))))
    [key] = the_cases(store)
    other = open_store(store.url)
    [kind] = [kind for kind in type(store.log).__mro__ if "words" in vars(kind)][:1]
    real, left = kind.words, [2]

    def words(self: Any, subject: str | None = None) -> Any:
        """Somebody comments just after the words were read."""
        found = real(self, subject)
        if left[0]:
            left[0] -= 1
            act(other, ANN, lambda desk: at.comment(desk, ANN, key, "again"))
        return found

    monkeypatch.setattr(kind, "words", words)
    copy = list(store.backup().log())
    assert all(words for event, words in copy if event.words_digest)
    assert len(copy) > 1


@pytest.mark.parametrize("url", ["embedded"], indirect=True)
def test_a_server_is_filled_from_a_folder(
    take: Callable[..., Any], store: Store, neo4j_url: str, tmp_path: Path
) -> None:
    take(group("g1", members((0, 12))))
    act(store, ANN, lambda desk: at.claim(desk, ANN, the_case(store)["id"]))
    again = restore(store.backup(), store.key, neo4j_url, project=project)
    assert list(again.log.events()) == list(store.log.events())
    assert verify(again).problems == []


def test_an_import_that_would_lose_a_log_is_refused(store: Store, take: Callable[..., Any]) -> None:
    refuse_log(store)
    take(group("g1", members((0, 12))))
    with pytest.raises(UserError, match="review log"):
        refuse_log(store)


def the_cases(store: Store) -> list[str]:
    return list(store.log.views("case"))
