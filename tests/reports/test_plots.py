"""What the plots show: their data, from a real run on a small store."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graph.store import RunRecord, Store
from reports.material import Material, material
from reports.plots import Subject, draw_group, draw_run, expected_files, plots
from reports.plots.crossing import corners, crossing
from reports.plots.flows import flows
from reports.plots.graph import contents, layout
from reports.plots.overview import marks
from reports.plots.share_without import bars
from reports.style import drawing

GROUP = [f"g{number:02}" for number in range(12)]


@pytest.fixture(scope="module")
def found(run: RunRecord) -> dict[str, Any]:
    """The one group of the run: the twelve that act as one."""
    (group,) = run.result["groups"]
    assert {member["account"] for member in group["members"]} == set(GROUP)
    return dict(group)


@pytest.fixture(scope="module")
def facts(store: Store, run: RunRecord, found: dict[str, Any]) -> Material:
    return material(store, run, [found])


def moves(*rows: tuple[str | None, str | None, date | None, int | None, float]) -> pl.DataFrame:
    """Transfers as `Material` has them: src, dst, day, step, amount."""
    schema = {
        "src": pl.String,
        "dst": pl.String,
        "day": pl.Date,
        "step": pl.Int64,
        "amount": pl.Float64,
    }
    frame = pl.DataFrame(list(rows), schema=schema, orient="row")
    return frame.with_columns(count=pl.lit(1, pl.UInt32), institution=pl.lit(False))


# -- the facts behind the plots -------------------------------------------------------------


def test_material_sums_what_touches_members_and_nothing_else(facts: Material) -> None:
    inside = facts.transfers.drop_nulls(["src", "dst"])
    assert inside["amount"].sum() == 20 * 24 * 50.0
    assert inside["count"].sum() == 20 * 24
    gone = facts.transfers.filter(pl.col("dst").is_null())
    come = facts.transfers.filter(pl.col("src").is_null())
    assert gone.group_by("src").agg(pl.col("amount").sum()).sort("src").rows() == [
        ("g00", 140.0),
        ("g02", 60.0),
    ]
    assert (come["dst"].unique().to_list(), come["amount"].sum()) == (["g01"], 100.0)
    assert len(facts.transfers) == len(inside) + len(gone) + len(come)


def test_material_keeps_what_ties_members(facts: Material) -> None:
    assert facts.referrals.rows() == [("g00", "g03")]
    assert facts.links.rows() == [("g00", "g05")]
    shared = facts.sightings.group_by("identifier").agg("account")
    assert {tuple(sorted(row)) for row in shared["account"].to_list()} == {
        tuple(GROUP[place : place + 3]) for place in (0, 3, 6, 9)
    }
    assert all(value.startswith("device ") for value in facts.sightings["identifier"])


def test_material_of_a_part_counts_the_others_as_outside(facts: Material) -> None:
    part = facts.of(GROUP[:3])
    inside = part.transfers.drop_nulls(["src", "dst"])
    assert inside["count"].sum() == 20 * 3
    assert part.links.is_empty()
    assert part.sightings["account"].to_list() == GROUP[:3]
    assert part.transfers.filter(pl.col("src").is_null() & pl.col("dst").is_null()).is_empty()


def test_what_a_run_did_not_know_is_not_drawn(
    store: Store, run: RunRecord, found: dict[str, Any]
) -> None:
    then = next(batch.batch for batch in store.batches() if batch.kind == "referrals")
    known = {**run.result, "run": {**run.result["run"], "known_at": then}}
    earlier = material(store, dataclasses.replace(run, result=known), [found])
    assert earlier.referrals.height == 1
    assert earlier.links.height == 0
    assert material(store, run, [found]).links.height == 1


# -- each plot's data -----------------------------------------------------------------------


def test_the_crossing_chart_ends_at_the_group_and_crosses_where_the_run_says(
    run: RunRecord, found: dict[str, Any]
) -> None:
    details = run.details[found["id"]]
    chart = crossing(found, details)
    assert chart is not None
    bits, share, accounts = chart.own[-1]
    assert (share, accounts) == (pytest.approx(found["share"]), len(GROUP))
    assert chart.crosses is not None
    assert chart.crosses[0] == details["crosses_at_bits"]
    assert chart.crosses[1] >= found["line"]
    levels = np.array([point[0] for point in chart.own])
    shares = np.array([point[1] for point in chart.own])
    assert (np.diff(levels) < 0).all()
    assert (np.diff(shares) >= 0).all()
    assert chart.most_share > found["share"]
    assert bits > 0


def test_the_crowd_never_holds_less_than_the_group_in_it(
    run: RunRecord, found: dict[str, Any]
) -> None:
    chart = crossing(found, run.details[found["id"]])
    assert chart is not None
    for bits, share, accounts in chart.own:
        around = [point for point in chart.crowd if point[0] >= bits]
        assert around[-1][1] >= share - 1e-9
        assert around[-1][2] >= accounts


def test_corners_of_steps() -> None:
    assert corners([(9.0, 0.01, 2), (7.0, 0.03, 3), (2.0, 0.5, 9)], 5.0) == [
        (9.0, 0.0),
        (9.0, 1.0),
        (7.0, 1.0),
        (7.0, 3.0),
        (5.0, 3.0),
    ]


def test_a_single_account_has_no_crossing_chart(found: dict[str, Any]) -> None:
    assert crossing(found, {}) is None


def test_bars_show_the_largest_effect_first_and_who_brings_it_below(trio: dict[str, Any]) -> None:
    shown = bars(trio)
    assert [(bar.account, bar.share_without, bar.falls_below) for bar in shown] == [
        ("ann", 0.03, True),
        ("bob", 0.04, True),
        ("cyd", 0.05, False),
    ]
    assert len(bars(trio, 2)) == 2


def test_flows_by_day_have_no_gaps_and_add_up() -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 4)
    shown = flows(
        moves(
            ("a", "b", first, None, 5.0),
            ("b", "a", first, None, 2.0),
            ("a", None, last, None, 3.0),
            (None, "b", last, None, 4.0),
            ("a", "b", None, None, 9.0),
        )
    )
    assert shown is not None
    assert shown.frame.rows() == [
        (date(2026, 3, 1), 7.0, 0.0, 0.0, 0.0, 0.0),
        (date(2026, 3, 2), 0.0, 0.0, 0.0, 0.0, 0.0),
        (date(2026, 3, 3), 0.0, 0.0, 0.0, 0.0, 0.0),
        (date(2026, 3, 4), 0.0, 4.0, 3.0, 0.0, 0.0),
    ]
    assert (shown.dated, shown.width, shown.undated) == (True, 1, 1)


def test_dealings_with_institutions_are_set_apart(
    store: Store, run: RunRecord, found: dict[str, Any], facts: Material
) -> None:
    shop = facts.transfers.filter("institution")
    assert shop.select("src", "dst").unique().rows() == [("g02", None)]
    shown = flows(facts.transfers)
    assert shown is not None
    sums = {name: shown.frame[name].sum() for name in shown.frame.columns[1:]}
    assert sums == {
        "inside": 24000.0,
        "come": 100.0,
        "gone": 140.0,
        "bought": 0.0,
        "sold": 20 * 3.0,
    }


def test_flows_over_a_year_are_by_week() -> None:
    shown = flows(
        moves(("a", "b", date(2025, 1, 1), None, 1.0), ("a", "b", date(2025, 12, 1), None, 2.0))
    )
    assert shown is not None
    assert shown.width == 7
    assert len(shown.frame) <= 70
    assert shown.frame["inside"].sum() == 3.0


def test_flows_without_dates_go_by_steps() -> None:
    shown = flows(moves(("a", "b", None, 0, 1.0), ("b", None, None, 149, 2.0)))
    assert shown is not None
    assert (shown.dated, shown.width) == (False, 3)
    assert shown.frame["inside"].sum() == 1.0
    assert shown.frame["gone"].sum() == 2.0
    assert shown.frame["begin"].max() == 147


def test_no_transfers_no_flows() -> None:
    assert flows(moves()) is None
    assert flows(moves(("a", "b", None, None, 1.0))) is None


def test_the_graph_holds_every_member_and_what_ties_them(
    facts: Material, found: dict[str, Any]
) -> None:
    drawing = contents(found, facts)
    assert list(drawing.shares) == GROUP
    assert sum(drawing.shares.values()) == pytest.approx(found["share"])
    assert drawing.transfers["g00", "g01"] == 20 * 50.0
    assert len(drawing.transfers) == 24
    assert drawing.referrals == [("g00", "g03")]
    assert drawing.links == [("g00", "g05")]
    assert sorted(map(len, drawing.identifiers.values())) == [3, 3, 3, 3]
    assert drawing.left_out == 0


def test_of_a_large_group_the_largest_are_drawn_and_the_rest_is_said(
    facts: Material, found: dict[str, Any]
) -> None:
    drawing = contents(found, facts, most=5)
    assert len(drawing.shares) == 5
    assert drawing.left_out == 7
    assert drawing.left_out_share == pytest.approx(found["share"] * 7 / 12)
    assert all(one in drawing.shares and two in drawing.shares for one, two in drawing.transfers)


def test_the_layout_is_the_same_every_time_and_nodes_stand_apart(
    facts: Material, found: dict[str, Any]
) -> None:
    drawing = contents(found, facts)
    places = layout(drawing)
    assert places == layout(drawing)
    assert set(places) == {*GROUP, *drawing.identifiers}
    spots = np.array(list(places.values()))
    apart = np.sqrt(((spots[:, None] - spots[None, :]) ** 2).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 8


def test_one_set_at_several_lines_is_one_mark(trio: dict[str, Any], make_result: Any) -> None:
    again = {**trio, "id": "fff", "line": 0.03, "grade": "indication"}
    (mark,) = marks(make_result(trio, again, lines=[0.05, 0.03]))
    assert mark.groups == ("abc123def456", "fff")
    assert (mark.grade, mark.accounts, mark.share) == ("corroborated", 3, trio["share"])


# -- figures and files ----------------------------------------------------------------------


def test_every_figure_has_a_title_and_labels(
    run: RunRecord, found: dict[str, Any], facts: Material
) -> None:
    for plot in plots():
        subject = Subject(run) if plot.of == "run" else Subject(run, found, facts)
        with drawing():
            figure = plot.draw(subject)
        assert figure is not None, plot.name
        assert figure.get_suptitle(), plot.name
        (axes,) = figure.axes
        assert axes.get_xlabel(), plot.name
        assert axes.get_ylabel() or plot.name == "graph", plot.name
        caption = " ".join(text.get_text() for text in figure.texts)
        assert run.id in caption, plot.name
        assert run.result["run"]["as_of"] in caption, plot.name


def test_texts_of_the_crossing_chart_do_not_overlap(
    run: RunRecord, found: dict[str, Any], facts: Material
) -> None:
    crossing_plot = next(plot for plot in plots() if plot.name == "crossing")
    own = [[30.0, 0.01, 2], [20.0, 0.03, 5], [14.0, 0.055, 9], [13.5, 0.072, 12]]
    crowd = [[30.0, 0.01, 2], [20.0, 0.03, 5], [16.0, 0.06, 20], [14.2, 0.4, 300]]
    details = {found["id"]: {"own_curve": own, "curve": crowd}}
    with drawing():
        figure = crossing_plot.draw(
            Subject(dataclasses.replace(run, details=details), found, facts)
        )
        assert figure is not None
        figure.draw_without_rendering()
        (axes,) = figure.axes
        patches = [text.get_bbox_patch() for text in axes.texts]
        boxes = [patch.get_window_extent() for patch in patches if patch is not None]
        legend = axes.get_legend()
        assert legend is not None
        boxes.append(legend.get_window_extent())
    assert len(boxes) == 4
    for place, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[place + 1 :])


def test_a_run_is_drawn_with_all_its_groups(store: Store, run: RunRecord, folder: Path) -> None:
    told: list[int] = []
    written = draw_run(store, run, folder, progress=lambda done, _: told.append(done))
    (group,) = run.result["groups"]
    names = ("crossing", "flows", "graph", "share-without")
    expected = [f"{run.id}-overview.png", *(f"{group['id']}-{name}.png" for name in names)]
    assert [path.name for path in written] == expected
    assert expected_files(run) == len(written)
    assert told == [1, 2, 3, 4, 5]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_figure_is_the_same_bytes_every_time(store: Store, run: RunRecord, folder: Path) -> None:
    (group,) = run.result["groups"]
    once = draw_group(store, run, group, folder / "one", "svg")
    twice = draw_group(store, run, group, folder / "two", "svg")
    assert len(once) == 4
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in twice]


def test_a_run_without_groups_has_an_overview(
    store: Store, run: RunRecord, folder: Path, make_result: Any
) -> None:
    empty = dataclasses.replace(run, result=make_result(message="Nothing."), details={})
    (path,) = draw_run(store, empty, folder)
    assert path.name == f"{run.id}-overview.png"


def test_odd_account_ids_are_drawn(store: Store, run: RunRecord, trio: dict[str, Any]) -> None:
    for place, account in enumerate(("$x^2$ & \\frac", "账户一", "new\nline" * 40)):
        trio["members"][place]["account"] = account
    bars_plot = next(plot for plot in plots() if plot.name == "share-without")
    with drawing():
        figure = bars_plot.draw(Subject(run, trio))
        assert figure is not None
        figure.draw_without_rendering()
        labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "$x^2$ & \\frac"
    assert "\n" not in labels[2]
    assert len(labels[2]) == 20
