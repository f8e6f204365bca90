"""The group's graph: who sends to whom, who brought whom, who shares a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from reports.plots import Plot, Subject
from reports.wording import Group, counted, percent, rounded, short

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from detectors.family import Floats
    from reports.material import Material

MOST_NODES = 150
"""Above, only the largest holders are drawn."""

MOST_ARROWS = 160
"""Above, transfers are drawn without heads."""

MOST_IDENTIFIERS = 40
MOST_LABELS = 8
SEED = 7

LEAST_AREA = 20.0
IDENTIFIER_POINTS = 3.0
GAP_POINTS = 3.0
HALF_PAGE_POINTS = (225.0, 180.0)
"""From the middle of the axes to where the outermost nodes may stand."""

Position = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """What the graph shows, everything in the order of account ids."""

    shares: dict[str, float]
    transfers: dict[tuple[str, str], float]
    """Amount by (sender, receiver)."""
    referrals: list[tuple[str, str]]
    identifiers: dict[str, list[str]]
    """Accounts by identifier, two or more each."""
    links: list[tuple[str, str]]
    left_out: int
    """Members that are not drawn."""
    left_out_share: float
    identifiers_left_out: int = 0


def contents(group: Group, material: Material, most: int = MOST_NODES) -> Drawing:
    """Nodes and edges of a group's graph; of more than `most` members the largest holders."""
    members = sorted(group["members"], key=lambda member: (-member["share"], member["account"]))
    shown = {member["account"]: member["share"] for member in members[:most]}
    rest = members[most:]
    facts = material.of(sorted(shown))
    inside = (
        facts.transfers.drop_nulls(["src", "dst"])
        .group_by("src", "dst")
        .agg(pl.col("amount").sum())
        .sort("src", "dst")
    )
    shared = (
        facts.sightings.sort("account")
        .group_by("identifier", maintain_order=True)
        .agg("account")
        .sort(  # never by digest, which is another in every store
            pl.col("account").list.len(),
            _kind(pl.col("identifier")),
            pl.col("account").list.join(" "),
            descending=[True, False, False],
        )
    )
    return Drawing(
        {account: shown[account] for account in sorted(shown)},
        {(src, dst): amount for src, dst, amount in inside.iter_rows()},
        facts.referrals.select("referrer", "referred").sort("referrer", "referred").rows(),
        dict(shared.head(MOST_IDENTIFIERS).iter_rows()),
        facts.links.select("a", "b").sort("a", "b").rows(),
        len(rest),
        sum(member["share"] for member in rest),
        max(len(shared) - MOST_IDENTIFIERS, 0),
    )


def _kind(identifier: pl.Expr) -> pl.Expr:
    return identifier.str.replace(" [^ ]*$", "")


def layout(drawing: Drawing, ties: Sequence[Sequence[Any]] = ()) -> dict[str, Position]:
    """Where each account and identifier stands, in points of the page around its middle:
    the same every time, no two nodes on each other.

    `ties` (account, account, bits, …) keep together what no drawn edge joins.
    """
    import networkx as nx
    import numpy as np

    graph = nx.Graph()
    graph.add_nodes_from(drawing.shares)
    most = max(drawing.transfers.values(), default=0.0) or 1.0
    for one, other, *_ in ties:
        if one in drawing.shares and other in drawing.shares:
            graph.add_edge(one, other, weight=0.3)
    for one, other in [*drawing.referrals, *drawing.links]:
        graph.add_edge(one, other, weight=0.6)
    for (one, other), amount in drawing.transfers.items():
        graph.add_edge(one, other, weight=0.6 + math.sqrt(amount / most))
    for identifier, accounts in drawing.identifiers.items():
        graph.add_edges_from(((identifier, account) for account in accounts), weight=0.8)
    spread = 2.2 / math.sqrt(max(len(graph), 1))
    sprung = nx.spring_layout(graph, k=spread, iterations=300, seed=SEED, method="force")
    radii = np.array(
        [
            *(math.sqrt(area) / 2 for area in _areas(list(drawing.shares.values()))),
            *(IDENTIFIER_POINTS for _ in drawing.identifiers),
        ]
    )
    names = [*drawing.shares, *drawing.identifiers]
    places = _spread(np.array([sprung[name] for name in names]), radii)
    return {name: (float(x), float(y)) for name, (x, y) in zip(names, places, strict=True)}


def _spread(places: Floats, radii: Floats) -> Floats:
    """Fill the page evenly (half by place, half by rank), then push overlapping nodes apart.

    `places`: shape (n, 2); `radii` and the result in points.
    """
    import numpy as np

    half = np.array(HALF_PAGE_POINTS)
    if len(places) < 2:
        return np.zeros((len(places), 2))
    low, high = places.min(axis=0), places.max(axis=0)
    even = np.argsort(np.argsort(places, axis=0, kind="stable"), axis=0) / (len(places) - 1)
    shape = (places - low) / np.maximum(high - low, 1e-9)
    at = half * (shape + even - 1)
    needed = radii[:, None] + radii[None, :] + GAP_POINTS
    np.fill_diagonal(needed, 0)
    for _ in range(200):
        apart = at[:, None, :] - at[None, :, :]
        distance = np.sqrt((apart**2).sum(axis=2)) + 1e-9
        short_by = np.maximum(needed - distance, 0)
        if not short_by.any():
            break
        at = at + 0.3 * (apart / distance[:, :, None] * short_by[:, :, None]).sum(axis=1)
        at = np.clip(at, -half, half)
    return np.asarray(at, np.float64)


def draw(subject: Subject) -> Figure | None:
    """Nodes by share, transfers by amount, referrals dashed, identifiers dotted."""
    from reports.style import page

    group, material = subject.group, subject.material
    assert group is not None
    if material is None or len(group["members"]) < 2:
        return None
    drawing = contents(group, material)
    places = layout(drawing, subject.details.get("ties", ()))
    figure, axes = page(_title(group, drawing), _note(drawing), subject, height_inches=7.6)
    axes.set_xlim(-1.13 * HALF_PAGE_POINTS[0], 1.13 * HALF_PAGE_POINTS[0])
    axes.set_ylim(-1.13 * HALF_PAGE_POINTS[1], 1.13 * HALF_PAGE_POINTS[1])
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("Place has no meaning: accounts that deal with each other are drawn close")
    keys = _edges(axes, drawing, places)
    sizes = _nodes(axes, drawing, places)
    axes.legend(
        handles=[*sizes, *keys],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        labelspacing=1.2,
        handlelength=2.6,
    )
    _labels(figure, axes, drawing, places)
    return figure


def _title(group: Group, drawing: Drawing) -> str:
    members = counted(len(group["members"]), "account")
    said = []
    if drawing.transfers:
        pairs = len({tuple(sorted(pair)) for pair in drawing.transfers})
        said.append(f"{counted(pairs, 'pair')} deal with each other")
    if drawing.identifiers:
        shared = len(drawing.identifiers) + drawing.identifiers_left_out
        said.append(f"{counted(shared, 'identifier')} shared")
    if drawing.referrals:
        said.append(counted(len(drawing.referrals), "referral"))
    if drawing.links:
        said.append(counted(len(drawing.links), "declared link"))
    ties = ", ".join(said) or "nothing drawn here ties them directly"
    if drawing.left_out:
        ties = f"among the {len(drawing.shares)} largest {ties}"
    return f"{members} with {percent(group['share'])} together: {ties}"


def _note(drawing: Drawing) -> str:
    note = (
        "Each circle is a member: the larger, the more it holds. Only what happens among the "
        "members is drawn; their dealings with others are in the plot of flows."
    )
    if drawing.left_out:
        note += (
            f" The {len(drawing.shares)} largest are drawn; {drawing.left_out:,} more hold "
            f"{percent(drawing.left_out_share)} together."
        )
    if drawing.identifiers_left_out:
        note += f" Of the identifiers the {len(drawing.identifiers)} most shared are drawn."
    return note


def _areas(shares: Sequence[float]) -> list[float]:
    """Area of each node in square points: in proportion to its share, a dot for nothing."""
    largest = max(shares, default=0.0) or 1.0
    most = min(max(20_000 / max(len(shares), 1), 160), 800)
    return [max(most * share / largest, LEAST_AREA) for share in shares]


def _nodes(axes: Axes, drawing: Drawing, places: dict[str, Position]) -> list[Artist]:
    """Draws the nodes; returns the scale of their sizes for the legend."""
    from matplotlib.lines import Line2D

    from reports.style import BLUE, GREY, INK

    names, shares = list(drawing.shares), list(drawing.shares.values())
    areas = _areas(shares)
    axes.scatter(
        [places[name][0] for name in names],
        [places[name][1] for name in names],
        s=areas,
        color=[BLUE if share else "white" for share in shares],
        edgecolor=["white" if share else GREY for share in shares],
        linewidth=1.0,
        zorder=5,
    )
    if drawing.identifiers:
        axes.scatter(
            [places[name][0] for name in drawing.identifiers],
            [places[name][1] for name in drawing.identifiers],
            marker="D",
            s=26,
            color=INK,
            zorder=4,
        )
    largest = max(shares, default=0.0)
    scale: list[Artist] = []
    for share in (largest, largest / 4) if largest else ():
        area = max(areas) * share / largest
        scale.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                color=BLUE,
                markersize=math.sqrt(area),
                label=f"holds {percent(share)}",
            )
        )
    if not all(shares):
        scale.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                markerfacecolor="white",
                markeredgecolor=GREY,
                markersize=math.sqrt(LEAST_AREA),
                label="holds nothing",
            )
        )
    return scale


def _edges(axes: Axes, drawing: Drawing, places: dict[str, Position]) -> list[Artist]:
    """Draws the edges; returns what the legend says of each kind there is."""
    from matplotlib.lines import Line2D

    from reports.style import GREEN, INK, PINK, SKY

    keys: list[Artist] = []
    if drawing.transfers:
        most = max(drawing.transfers.values())
        _transfers(axes, drawing, places, most)
        heads = "" if len(drawing.transfers) > MOST_ARROWS else "\narrow at the receiver"
        said = f"transfers, the thickest\n{rounded(most)} points{heads}"
        keys.append(Line2D([], [], color=SKY, linewidth=4, label=said))
    if drawing.referrals:
        _lines(axes, drawing.referrals, places, GREEN, "--", 1.6)
        keys.append(Line2D([], [], color=GREEN, linestyle="--", linewidth=1.6, label="referral"))
    if drawing.links:
        _lines(axes, drawing.links, places, PINK, "-", 2.4)
        keys.append(Line2D([], [], color=PINK, linewidth=2.4, label="declared one owner"))
    if drawing.identifiers:
        pairs = [
            (value, who) for value, accounts in drawing.identifiers.items() for who in accounts
        ]
        _lines(axes, pairs, places, INK, ":", 1.2)
        kinds = sorted({value.rsplit(" ", 1)[0] for value in drawing.identifiers})
        keys.append(
            Line2D(
                [],
                [],
                color=INK,
                linestyle=":",
                linewidth=1.2,
                marker="D",
                markersize=5,
                label=f"seen with the same\n{', '.join(kinds)}",
            )
        )
    return keys


def _transfers(
    axes: Axes, drawing: Drawing, places: dict[str, Position], most_amount: float
) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import FancyArrowPatch

    from reports.style import SKY

    areas = dict(zip(drawing.shares, _areas(list(drawing.shares.values())), strict=True))
    widths = {
        pair: 0.5 + 4.5 * math.sqrt(amount / most_amount) if most_amount else 1.0
        for pair, amount in drawing.transfers.items()
    }
    if len(widths) > MOST_ARROWS:
        lines = [(places[one], places[other]) for one, other in widths]
        axes.add_collection(
            LineCollection(
                lines,
                linewidths=[0.6 * width for width in widths.values()],
                colors=SKY,
                alpha=0.55,
                zorder=2,
            )
        )
        return
    for (one, other), width in widths.items():
        axes.add_patch(
            FancyArrowPatch(
                places[one],
                places[other],
                connectionstyle="arc3,rad=0.08",
                arrowstyle="-|>",
                mutation_scale=7 + 2 * width,
                shrinkA=0,
                shrinkB=math.sqrt(areas[other]) / 2 + 0.5,
                linewidth=width,
                color=SKY,
                alpha=0.75,
                zorder=2,
            )
        )


def _lines(
    axes: Axes,
    pairs: Sequence[tuple[str, str]],
    places: dict[str, Position],
    colour: str,
    style: str,
    width: float,
) -> None:
    from matplotlib.collections import LineCollection

    lines = [(places[one], places[other]) for one, other in pairs]
    axes.add_collection(
        LineCollection(lines, linewidths=width, colors=colour, linestyles=style, zorder=3)
    )


def _labels(figure: Figure, axes: Axes, drawing: Drawing, places: dict[str, Position]) -> None:
    """Names the largest holders."""
    import numpy as np

    from reports.style import Labels

    areas = _areas(list(drawing.shares.values()))
    radius = dict(zip(drawing.shares, (math.sqrt(area) / 2 for area in areas), strict=True))
    largest = sorted(drawing.shares, key=lambda account: (-drawing.shares[account], account))
    rims = [_rim(axes, places[account], radius[account]) for account in drawing.shares]
    labels = Labels(figure, axes, np.concatenate(rims))
    for account in largest[:MOST_LABELS]:
        if drawing.shares[account]:
            text = f"{short(account)}  {percent(drawing.shares[account])}"
            labels.beside(text, places[account], radius[account] + 2, fontsize=9)


def _rim(axes: Axes, centre: Position, radius_points: float) -> Any:
    """Points on a node, in data coordinates."""
    import numpy as np

    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    pixels = radius_points * axes.figure.dpi / 72
    middle = axes.transData.transform(centre)
    ring = np.column_stack((np.cos(turns), np.sin(turns)))
    shape = np.concatenate(([[0.0, 0.0]], ring, ring / 2))
    return axes.transData.inverted().transform(middle + pixels * shape)


PLOT = Plot("graph", "group", draw)
