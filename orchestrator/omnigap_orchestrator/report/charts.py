"""Charts of the report as inline SVG: interval plots, dots by task, histograms, latency ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from omnigap_orchestrator.report import formatting, svg


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its title; a wide one takes the full width of the page."""

    title: str
    drawing: Markup
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """One row of an interval plot, in points; a row without an estimate shows its note only.

    Attributes:
        modality: of the question; selects marker and colour.
        hollow: draw a hollow marker, for spoken answers.
        heading: a row that only labels the group below it.
    """

    label: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    modality: str = "text"
    hollow: bool = False
    heading: bool = False


def in_points(value: float | None) -> float | None:
    """A difference of scores in points; None stays None."""
    return None if value is None else 100 * value


def modality_of(condition: str) -> str:
    """The input modality of a condition; text for condition names of imported tables."""
    return {"s": "speech", "i": "image"}.get(condition[:1], "text")


def _finished(figure: Any, key: str, title: str, description: str, wide: bool = False) -> Chart:
    return Chart(title, Markup(svg.to_svg(figure, key, title, description)), wide)


def _rows_axes(axes: Any, labels: Sequence[str]) -> None:
    """One row per label, the first at the top."""
    axes.set_yticks(range(len(labels)), labels)
    # Inverted, so that the first row is at the top, as in a table.
    axes.set_ylim(len(labels) - 0.5, -0.5)


def _marker(axes: Any, x: float, y: float, modality: str, hollow: bool, size: float = 8.5) -> None:
    colour = svg.MODALITY_COLOUR[modality]
    axes.plot(
        x,
        y,
        svg.MODALITY_MARKER[modality],
        markersize=size,
        # A hollow marker is filled with the background colour: the interval must not show through it.
        color=svg.CARD if hollow else colour,
        markeredgecolor=colour,
        markeredgewidth=2,
        zorder=3,
    )


def _annotate_right(axes: Any, place: int, note: str) -> None:
    """Writes a note to the right of the axes."""
    axes.annotate(
        note,
        (1, place),
        xytext=(12, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        # Annotations outside of the axes are clipped by default.
        annotation_clip=False,
    )


def _heading(axes: Any, place: int, label: str, left: int) -> None:
    """Writes a heading over a group of rows."""
    axes.annotate(
        label,
        (0, place),
        xytext=(2 - left, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset pixels",
        va="center",
        fontweight="bold",
        annotation_clip=False,
        # The vertical lines of the axis end at it.
        bbox={"facecolor": svg.CARD, "edgecolor": "none", "pad": 1.5},
        zorder=4,
    )


def interval_plot(
    spans: Sequence[Span], key: str, title: str, axis: str, width: int = 500, row: int = 34, left: int = 110
) -> Chart:
    """Estimates with intervals around a line at zero, with their numbers in a column on the right."""
    # Margins in pixels instead of a tight layout, so that the plots of several models line up.
    right, top, bottom = 176, 6, 46
    height = top + bottom + row * len(spans)
    values = [v for s in spans for v in (s.estimate, s.low, s.high) if v is not None and formatting.known(v)]
    lowest, highest = min([0.0, *values]), max([0.0, *values])
    # At least half a point, so that a plot of zeros has an axis.
    margin = max(0.07 * (highest - lowest), 0.5)
    with svg.drawing(width, height) as (figure, axes):
        figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
        _rows_axes(axes, ["" if span.heading else span.label for span in spans])
        axes.set_xlim(lowest - margin, highest + margin)
        axes.locator_params(axis="x", nbins=6)
        axes.axvline(0, color=svg.MUTED, linewidth=1.2, zorder=1)
        for place, span in enumerate(spans):
            if span.heading:
                # From the left edge and over the chart: a heading can be wider than the labels of the rows.
                _heading(axes, place, span.label, left)
            elif span.estimate is None or not formatting.known(span.estimate):
                _annotate_right(axes, place, span.note or "no number")
            else:
                if formatting.known(span.low) and formatting.known(span.high):
                    colour = svg.MODALITY_COLOUR[span.modality]
                    axes.plot([span.low, span.high], [place] * 2, color=colour, linewidth=2.6, solid_capstyle="round")
                _marker(axes, span.estimate, place, span.modality, span.hollow)
                _annotate_right(axes, place, span.note)
        axes.set_xlabel(axis)
        described = "; ".join(f"{s.label}: {s.note}" for s in spans if not s.heading)
        return _finished(figure, key, title, described)


@dataclass(frozen=True, slots=True)
class Dot:
    """Accuracy of one condition in one task, in percent."""

    task: str
    condition: str
    input: str
    output: str
    estimate: float
    low: float | None
    high: float | None


def task_plot(dots: Sequence[Dot], tasks: Sequence[str], key: str, title: str, width: int = 1100) -> Chart:
    """Accuracy by task: text answers on the left, spoken answers on the right, the three inputs in each task's row."""
    left, top, bottom, row = 160, 28, 46, 50
    height = top + bottom + row * len(tasks)
    # Vertical offset of each input modality within the row of its task.
    shift = {"text": -0.25, "speech": 0.0, "image": 0.25}
    with svg.drawing(width, height, 1, 2, sharex=True, sharey=True) as (figure, panels):
        figure.subplots_adjust(left / width, bottom / height, 1 - 14 / width, 1 - top / height, wspace=0.06)
        for axes, output, name in zip(panels, ("text", "speech"), ("Text answers", "Spoken answers"), strict=True):
            _rows_axes(axes, [task.replace("_", " ") for task in tasks])
            # Leaves room for the markers at 0 and 100 %.
            axes.set_xlim(-3, 103)
            axes.set_title(name, fontsize=12.5, fontweight="bold", loc="left")
            for place in range(len(tasks) - 1):
                axes.axhline(place + 0.5, color=svg.RULE, linewidth=1, zorder=0)
            for dot in dots:
                if dot.output != output:
                    continue
                y = tasks.index(dot.task) + shift[dot.input]
                if formatting.known(dot.low) and formatting.known(dot.high):
                    colour = svg.MODALITY_COLOUR[dot.input]
                    axes.plot([dot.low, dot.high], [y, y], color=colour, linewidth=2, alpha=0.5, zorder=2)
                _marker(axes, dot.estimate, y, dot.input, output == "speech", 7)
            axes.set_xlabel("accuracy, %")
        described = "; ".join(f"{d.task} {d.condition} {d.estimate:.0f} %" for d in dots)
        return _finished(figure, key, title, described, wide=True)


@dataclass(frozen=True, slots=True)
class Histogram:
    """The values of one measure, for right and for wrong answers."""

    title: str
    right: Sequence[float]
    wrong: Sequence[float]


def histograms(panels: Sequence[Histogram], key: str, title: str, width: int = 1100) -> Chart:
    """Small multiples: right answers filled, wrong answers outlined, each normalised to 1."""
    # Imported here like matplotlib: commands that draw nothing need neither.
    import numpy as np

    height = 210
    with svg.drawing(width, height, 1, len(panels), squeeze=False) as (figure, grid):
        figure.subplots_adjust(14 / width, 28 / height, 1 - 14 / width, 1 - 28 / height, wspace=0.1)
        for axes, panel in zip(grid[0], panels, strict=True):
            both = np.concatenate([np.asarray(panel.right, dtype=float), np.asarray(panel.wrong, dtype=float)])
            # Common bins, so that the two histograms can be compared.
            edges = np.histogram_bin_edges(both, bins=30)
            for values, filled in ((panel.right, True), (panel.wrong, False)):
                if not len(values):
                    continue
                # Wrong answers are usually few; as counts they would be invisible next to the right ones.
                weights = np.full(len(values), 1 / len(values))
                if filled:
                    axes.hist(values, edges, weights=weights, histtype="stepfilled", color=svg.GAIN, alpha=0.35)
                else:
                    axes.hist(values, edges, weights=weights, histtype="step", color=svg.LOSS, linewidth=2)
            axes.set_title(panel.title, fontsize=12.5, loc="left", fontweight="bold")
            axes.set_yticks([])
            axes.locator_params(axis="x", nbins=7)
            axes.grid(False)
        described = "; ".join(f"{p.title}: {len(p.right)} right and {len(p.wrong)} wrong answers" for p in panels)
        return _finished(figure, key, title, described, wide=True)


@dataclass(frozen=True, slots=True)
class Range:
    """Median and 95th percentile of one row, in seconds."""

    label: str
    median: float
    p95: float | None
    modality: str
    hollow: bool


def _seconds(value: float) -> str:
    """Two significant digits below one second, else one decimal."""
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def latency_plot(ranges: Sequence[Range], key: str, title: str, width: int = 500) -> Chart:
    """Median (marker) to 95th percentile (bar) on a log axis: servers differ by orders of magnitude."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    left, right, bottom, top, row = 50, 170, 46, 6, 34
    height = top + bottom + row * len(ranges)
    # A log axis has no zero.
    values = [v for r in ranges for v in (r.median, r.p95) if v is not None and formatting.known(v) and v > 0]
    with svg.drawing(width, height) as (figure, axes):
        figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
        axes.set_xscale("log")
        _rows_axes(axes, [r.label for r in ranges])
        for place, r in enumerate(ranges):
            note = f"{_seconds(r.median)} s"
            if r.p95 is not None and formatting.known(r.p95):
                colour = svg.MODALITY_COLOUR[r.modality]
                axes.plot([r.median, r.p95], [place, place], color=colour, linewidth=2.4)
                axes.plot(r.p95, place, "|", color=colour, markersize=11, markeredgewidth=2.4)
                note += f", p95 {_seconds(r.p95)} s"
            _marker(axes, r.median, place, r.modality, r.hollow)
            _annotate_right(axes, place, note)
        axes.set_xlim(min(values, default=0.1) / 1.5, max(values, default=1.0) * 1.5)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        # Without this, a range of less than a decade gets labels at the minor ticks too.
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("seconds, log scale")
        described = "; ".join(f"{r.label}: median {_seconds(r.median)} s" for r in ranges)
        return _finished(figure, key, title, described)


@dataclass(frozen=True, slots=True)
class TypeDot:
    """One model's gap in one condition, in points."""

    architecture: str
    model: str
    condition: str
    gap: float


def architecture_plot(
    dots: Sequence[TypeDot],
    key: str,
    title: str,
    types: Sequence[str],
    absent: Mapping[tuple[str, str], str],
    width: int = 1100,
) -> Chart:
    """One dot per model, one row per architecture type, one panel per condition; the bar is the mean of the type.

    Args:
        types: in the order of the rows, also types without a dot.
        absent: (type, condition) -> why there is no dot.
    """
    conditions = list(dict.fromkeys(d.condition for d in dots))
    left, top, bottom, row = 150, 28, 46, 40
    height = top + bottom + row * len(types)
    with svg.drawing(width, height, 1, len(conditions), squeeze=False, sharex=True, sharey=True) as (figure, grid):
        figure.subplots_adjust(left / width, bottom / height, 1 - 12 / width, 1 - top / height, wspace=0.08)
        # Without dots at the edge of a panel, where the next one begins. The panels share their axis.
        gaps = [d.gap for d in dots] + [0.0]
        room = 0.1 * (max(gaps) - min(gaps)) or 1.0
        box = {"facecolor": svg.CARD, "edgecolor": "none", "pad": 1.5}
        grid[0][0].set_xlim(min(gaps) - room, max(gaps) + room)
        for axes, condition in zip(grid[0], conditions, strict=True):
            _rows_axes(axes, [formatting.type_words(t) for t in types])
            # Without labels at the edges, where they would touch those of the next panel.
            axes.locator_params(axis="x", nbins=5, prune="both")
            axes.axvline(0, color=svg.MUTED, linewidth=1.2)
            axes.set_title(condition, fontsize=12.5, fontweight="bold", loc="left")
            axes.set_xlabel("gap, points")
            for place, name in enumerate(types):
                gaps = [d.gap for d in dots if d.architecture == name and d.condition == condition]
                if gaps:
                    mean = sum(gaps) / len(gaps)
                    axes.plot([mean, mean], [place - 0.3, place + 0.3], color=svg.INK, linewidth=2.4)
                    # Semi-transparent: models with similar gaps overlap.
                    axes.plot(gaps, [place] * len(gaps), "o", color=svg.SPEECH, alpha=0.75, markersize=8)
                elif why := absent.get((name, condition)):
                    note = {"ha": "center", "va": "center", "color": svg.MUTED, "fontsize": 10.5, "bbox": box}
                    axes.annotate(why, (0.5, place), xycoords=("axes fraction", "data"), **note)
        described = "; ".join(f"{d.model} ({d.architecture}) {d.condition} {d.gap:+.1f}" for d in dots)
        return _finished(figure, key, title, described, wide=True)
