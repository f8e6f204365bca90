"""Who may look, what is recorded of it, and who may have time recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import ANN, group, members, person

from graph.store import Store
from review import desk as at
from review.clock import tick
from review.log import act
from review.people import RefusedError
from review.policy import built_in
from review.settings import ReviewSettings


def test_time_is_recorded_by_who_decides_or_operates(
    store: Store, take: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(group("g1", members((0, 12))))
    [key] = store.log.views("case")
    until = datetime.now(UTC) + timedelta(hours=1)
    act(store, ANN, lambda desk: at.snooze(desk, ANN, key, until))
    settings = ReviewSettings(roles={"auditor": ("aud",), "operator": ("opa",)})
    monkeypatch.setattr("review.clock.now", lambda: until)
    for user in ("aud", "stranger"):
        with pytest.raises(RefusedError, match=f"{user} may not record what is due"):
            tick(store, person(user, settings=settings), built_in())
    assert store.log.view("case", key)["state"] == "snoozed"  # type: ignore[index]
    assert tick(store, person("opa", settings=settings), built_in()) == {"woken": 1}
