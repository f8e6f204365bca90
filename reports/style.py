"""How every plot looks: one page, one hand.

Colours are those of Okabe and Ito (2008), which colour-blind people can tell apart.
Matplotlib is imported inside functions: it is slow to load.
"""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

    from reports.plots import Subject

    Floats = npt.NDArray[np.float64]

Point = tuple[float, float]

BLUE = "#0072B2"
ORANGE = "#E69F00"
RED = "#D55E00"
GREEN = "#009E73"
SKY = "#56B4E9"
PINK = "#CC79A7"
GREY = "#8C8C8C"
PALE = "#D9D9D9"
INK = "#222222"

LEVELS = ((0.03, "notice", "#B8860B"), (0.04, "letter", "#C0561A"), (0.05, "freeze", "#A0153E"))
"""Shares at which a platform acts, what it does, and the colour of the line."""

WIDTH_INCHES, HEIGHT_INCHES = 10.0, 6.6
DOTS_PER_INCH = 130
TITLE_CHARACTERS = 84
NOTE_CHARACTERS = 138
HEAD_INCHES, FOOT_INCHES = 1.18, 0.42

FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Arial Unicode MS",
)
"""The first shows Latin letters; the others, where installed, what it does not have."""


@contextmanager
def drawing() -> Iterator[None]:
    """The settings under which figures are made and written. No global state is left."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    settings: dict[Any, Any] = {
        "font.family": [font for font in FONTS if font in installed] or ["sans-serif"],
        "font.size": 10.5,
        "text.parse_math": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.labelsize": 11,
        "axes.axisbelow": True,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "legend.fontsize": 10,
        "svg.hashsalt": "inconcert",
        "svg.fonttype": "path",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def page(
    title: str, note: str, subject: Subject, height_inches: float = HEIGHT_INCHES
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes: the title says what is seen, `note` how to read it,
    the line below where it comes from."""
    figure = sheet(title, note, caption(subject), height_inches)
    return figure, figure.add_subplot()


def sheet(title: str, note: str, source: str, height_inches: float = HEIGHT_INCHES) -> Figure:
    """A figure without axes yet. `source`: the line below, where it comes from."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DOTS_PER_INCH, facecolor="white")
    foot, head = FOOT_INCHES / height_inches, 1 - HEAD_INCHES / height_inches
    figure.set_layout_engine("constrained", rect=(0.012, foot, 0.976, head - foot))
    written = textwrap.wrap(title, TITLE_CHARACTERS)[:2]
    top = 1 - 0.13 / height_inches
    figure.suptitle(
        "\n".join(written), x=0.02, y=top, ha="left", va="top", fontsize=14, fontweight="bold"
    ).set_in_layout(False)
    figure.text(
        0.02,
        top - (0.245 * len(written) + 0.05) / height_inches,
        "\n".join(textwrap.wrap(note, NOTE_CHARACTERS)),
        ha="left",
        va="top",
        fontsize=9.5,
        color="#555555",
    ).set_in_layout(False)
    figure.text(
        0.02, 0.1 / height_inches, source, ha="left", va="bottom", fontsize=8, color=GREY
    ).set_in_layout(False)
    return figure


def caption(subject: Subject) -> str:
    """Where a plot comes from: run, group, as-of and base."""
    from decimal import Decimal

    result = subject.run.result
    group = f"group {subject.group['id']} · " if subject.group else ""
    return (
        f"inconcert · {group}run {subject.run.id} · facts as of {result['run']['as_of']}, "
        f"known at batch {result['run']['known_at']} · 100 % = {Decimal(result['supply']):,f} "
        f"(holdings {result['base_rule']})"
    )


def write(figure: Figure, path: Path) -> None:
    """Write a figure as the path's ending says; the same figure gives the same bytes."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, metadata=metadata)


def level_lines(
    axes: Axes,
    lines: Collection[float],
    most_share: float,
    colours: Mapping[float, str] | None = None,
) -> None:
    """The 3, 4 and 5 % lines up to `most_share`; thick, and added where it is another, each of
    `lines`. `colours`: of those that are added, where it is not red."""
    from reports.wording import line_name

    levels = list(LEVELS)
    known = {share for share, _, _ in LEVELS}
    added = colours or {}
    levels += [(line, "line", added.get(line, RED)) for line in lines if line not in known]
    for share, action, colour in levels:
        if share > most_share:
            continue
        own = share in lines
        axes.axhline(
            100 * share, color=colour, linewidth=2.0 if own else 1.0, linestyle="--", zorder=1.5
        )
        axes.annotate(
            f"{line_name(share)} {action}",
            (1, 100 * share),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9.5,
            fontweight="bold" if own else "normal",
            annotation_clip=False,
        )


class Labels:
    """Puts texts where they cover neither each other nor, where it can be helped, points.

    Made when all else is drawn and the limits are set: it lays the figure out once.
    """

    def __init__(self, figure: Figure, axes: Axes, keep_clear: Floats) -> None:
        """`keep_clear`: points (data coordinates, shape (n, 2)) that texts should not cover."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # what is placed now must stay where it is
        self._axes = axes
        self._renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        self._points = _thinned(
            axes.transData.transform(keep_clear), axes.get_window_extent(self._renderer)
        )
        self._boxes: list[Bbox] = []
        legend = axes.get_legend()
        if legend is not None:
            self._boxes.append(legend.get_window_extent(self._renderer))

    def beside(self, text: str, point: Point, gap_points: float, **how: Any) -> bool:
        """Put a text beside a point; False when there is no free place near it."""
        candidates = [
            (point, "data", (right * gap, up * gap), ("center", "left", "right")[right], up)
            for gap in (gap_points, 2.5 * gap_points + 6)
            for right, up in PLACES
        ]
        return self._put(text, candidates, None, how)

    def anywhere(self, text: str, point: Point, **how: Any) -> bool:
        """Put a text into the freest part of the axes, with an arrow to its point."""
        candidates = [
            ((x, y), "axes fraction", (0.0, 0.0), "center", 0)
            for y in (0.1, 0.22, 0.34, 0.46, 0.58, 0.66, 0.74, 0.82, 0.9)
            for x in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.86)
        ]
        return self._put(text, candidates, point, how)

    def _put(
        self,
        text: str,
        candidates: Sequence[tuple[Point, str, Point, str, int]],
        target: Point | None,
        how: dict[str, Any],
    ) -> bool:
        """Take the candidate that covers the fewest points, itself or by its arrow, and is
        near to `target`."""
        free: list[tuple[float, int, Bbox]] = []
        note = None
        for order, candidate in enumerate(candidates):
            note = self._note(text, candidate, how)
            box = note.get_window_extent(self._renderer).padded(PAD_PIXELS)
            note.remove()
            if self._is_free(box):
                cost: float = 8 * self._covered(box) + self._crossed(box, target)
                cost += self._distance(box, target) / FAR_PIXELS
                free.append((cost, order, box))
        if not free:
            return False
        _, order, box = min(free, key=lambda one: one[:2])
        self._boxes.append(box)
        self._note(text, candidates[order], how).set_in_layout(False)
        if target is not None:
            self._arrow(box, target, how.get("color", INK))
        return True

    def _note(
        self, text: str, candidate: tuple[Point, str, Point, str, int], how: dict[str, Any]
    ) -> Annotation:
        at, coordinates, offset, horizontal, up = candidate
        return self._axes.annotate(
            text,
            at,
            xycoords=coordinates,
            xytext=offset,
            textcoords="offset points",
            ha=horizontal,
            va=("center", "bottom", "top")[up],
            zorder=9,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8},
            **how,
        )

    def _is_free(self, box: Bbox) -> bool:
        frame = self._axes.get_window_extent(self._renderer)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
        inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
        return inside and not any(box.overlaps(other) for other in self._boxes)

    def _covered(self, box: Bbox) -> int:
        x, y = self._points[:, 0], self._points[:, 1]
        return int(((box.x0 <= x) & (x <= box.x1) & (box.y0 <= y) & (y <= box.y1)).sum())

    def _distance(self, box: Bbox, target: Point | None) -> float:
        if target is None:
            return 0.0
        x, y = self._axes.transData.transform(target)
        return float((((box.x0 + box.x1) / 2 - x) ** 2 + ((box.y0 + box.y1) / 2 - y) ** 2) ** 0.5)

    def _crossed(self, box: Bbox, target: Point | None) -> int:
        """Points on the way of the arrow, but for those at its head, and texts crossed."""
        import numpy as np

        if target is None:
            return 0
        end = self._axes.transData.transform(target)
        begin = _nearest(box, end)
        way = along([begin, (float(end[0]), float(end[1]))], 40)
        texts = sum(
            1
            for other in self._boxes
            if (
                (other.x0 <= way[:, 0])
                & (way[:, 0] <= other.x1)
                & (other.y0 <= way[:, 1])
                & (way[:, 1] <= other.y1)
            ).any()
        )
        far = self._points[((self._points - end) ** 2).sum(axis=1) > NEAR_PIXELS**2]
        apart = ((far[:, None, :] - way[None, :, :]) ** 2).sum(axis=2).min(axis=1, initial=np.inf)
        return int((apart < CLEAR_PIXELS**2).sum()) + 30 * texts

    def _arrow(self, box: Bbox, target: Point, colour: str) -> None:
        begin = _nearest(box, self._axes.transData.transform(target))
        at = self._axes.transData.inverted().transform(begin)
        self._axes.annotate(
            "",
            target,
            xytext=(float(at[0]), float(at[1])),
            zorder=8,
            arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 2, "shrinkB": 6},
        ).set_in_layout(False)


NEAR_PIXELS, CLEAR_PIXELS = 24.0, 7.0
"""An arrow may touch what lies this near to its head; elsewhere it should keep clear."""

PAD_PIXELS = 4.0
"""Around each text."""

FAR_PIXELS = 60.0
"""So much farther away is as bad as one more point covered."""


def _thinned(pixels: Floats, frame: Bbox) -> Floats:
    """Points inside the frame, at most one in each square of CLEAR_PIXELS / 2."""
    import numpy as np

    side = CLEAR_PIXELS / 2
    inside = (pixels >= frame.min).all(axis=1) & (pixels <= frame.max).all(axis=1)
    return np.asarray(np.unique(np.round(pixels[inside] / side), axis=0) * side, np.float64)


def _nearest(box: Bbox, pixel: Floats) -> Point:
    """The place on the rim of a text that is nearest to a pixel."""
    x, y = float(pixel[0]), float(pixel[1])
    return min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)


PLACES = ((0, 1), (1, 0), (-1, 0), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Where a text may stand beside its point (right, up), the best first."""


def along(points: Sequence[Point], steps: int = 60) -> Floats:
    """Points on the way along a line, so that texts keep clear of it; shape (n, 2)."""
    import numpy as np

    ends = np.asarray(points, np.float64).reshape(-1, 2)
    if len(ends) < 2:
        return ends
    parts = np.linspace(0, 1, steps)[:, None]
    return np.concatenate([one + (other - one) * parts for one, other in itertools.pairwise(ends)])
