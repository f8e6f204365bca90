"""Which column feeds which field, and what is said when it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from load_helpers import facts

from graph.errors import UserError
from graph.schema import KINDS, ROLES, VERDICTS
from graph.store import Store
from loaders.kinds import sources


def test_every_kind_of_the_schema_has_its_file() -> None:
    assert set(sources()) == set(KINDS)
    for kind, source in sources().items():
        stored = {field.stored for field in source.fields}
        assert stored - {"id"} <= set(KINDS[kind].columns)
        accounts = tuple(field.name for field in source.fields if field.type == "account")
        assert accounts == KINDS[kind].accounts


def test_words_on_lists_are_those_of_the_schema() -> None:
    assert sources()["accounts"].field("role").choices == ROLES
    assert sources()["links"].field("verdict").choices == VERDICTS


def test_mapped_columns_constants_and_names_with_signs_in_them(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    path = put("in.csv", "from,to,a+b,kind\nx,y,5,z\n")
    loading(store, "transfers", path, map=("src=from, dst = to,amount=a+b", "kind==rent, heat"))
    assert [row[2:5] + row[7:] for row in facts(store, "transfers")] == [
        ("x", "y", Decimal(5), "rent, heat")
    ]


def test_without_an_amount_column_it_is_one_each(
    store: Store, put: Callable[..., str], loading: Any
) -> None:
    one, two = put("1.csv", "src,dst\na,b\n"), put("2.csv", "src,dst,amount\na,b,2\na,b,\n")
    assert loading(store, "transfers", one, two).counts.quarantined == 1
    assert sorted(row[4] for row in facts(store, "transfers")) == [1, 2]


@pytest.mark.parametrize(
    ("mapping", "sentence", "hint"),
    [
        (("from=from",), "no field 'from'", "fields are src, dst"),
        (("amout=n",), "no field 'amout'", "'amount'"),
        (("src=Form",), "no column 'Form'", "Did you mean 'from'"),
        (("src=zzz",), "no column 'zzz'", "It has from, to, value"),
        (("id=from+zzz",), "no column 'zzz'", "It has"),
        (("src",), "is no mapping", "field=column"),
        (("src=from", "src=to"), "mapped twice", None),
        (("id==5",), "same for every row", None),
        ((), "no column 'src' or 'dst'; it has from, to, value", "--map src=from,dst=to"),
        (("kind==x,src=from",), "no column 'dst'", "--map dst=to"),
    ],
)
def test_a_mapping_that_cannot_be(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    mapping: tuple[str, ...],
    sentence: str,
    hint: str | None,
) -> None:
    with pytest.raises(UserError, match=sentence) as error:
        loading(store, "transfers", put("in.csv", "from,to,value\na,b,1\n"), map=mapping)
    assert hint is None or hint in str(error.value.hint)


@pytest.mark.parametrize("mapping", ["amount==much", "at==soon", "src==", "amount==-1"])
def test_a_constant_that_no_row_could_have(
    store: Store, put: Callable[..., str], loading: Any, mapping: str
) -> None:
    with pytest.raises(UserError):
        loading(store, "transfers", put("in.csv", "src,dst\na,b\n"), map=(mapping,))
    assert store.batches() == []


@pytest.mark.parametrize("name", ["a:b", "a#b", "", "x" * 65, "ä"])
def test_a_source_name_that_would_be_ambiguous(
    store: Store, put: Callable[..., str], loading: Any, name: str
) -> None:
    with pytest.raises(UserError, match="cannot name a source"):
        loading(store, "transfers", put("in.csv", "src,dst\na,b\n"), source=name)


def test_json_keys_that_come_late_are_columns_of_the_whole_file(
    store: Store,
    put: Callable[..., str],
    loading: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loaders.jsonl_files._BLOCK_BYTES", 40)
    lines = ['{"src":"a","dst":"b"}'] * 20 + ['{"src":"a","dst":"b","amount":3}']
    counts = loading(store, "transfers", put("in.jsonl", "\n".join(lines))).counts
    assert (counts.loaded, counts.quarantined) == (1, 20)
