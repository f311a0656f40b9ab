"""The report's charts: interval plots, dots by task, histograms, ranges. Each takes rows and gives an inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from omnigap_orchestrator.report import formatting, svg


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with the line above it; a wide one takes the whole row."""

    title: str
    drawing: Markup
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """One row of an interval plot, in points; without an estimate it shows its note alone, `heading` starts a group.

    Attributes:
        modality: chooses marker and colour. hollow: the answer is spoken.
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
    """A share of the score in points, for a `Span`; None where there is none."""
    return None if value is None else 100 * value


def modality_of(condition: str) -> str:
    """The modality of a condition's question; text for other tables' own labels."""
    return {"s": "speech", "i": "image"}.get(condition[:1], "text")


def _finished(figure: Any, key: str, title: str, description: str, wide: bool = False) -> Chart:
    return Chart(title, Markup(svg.to_svg(figure, key, title, description)), wide)


def _rows_axes(axes: Any, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)


def _marker(axes: Any, x: float, y: float, modality: str, hollow: bool, size: float = 8.5) -> None:
    colour = svg.MODALITY_COLOUR[modality]
    axes.plot(
        x,
        y,
        svg.MODALITY_MARKER[modality],
        markersize=size,
        color=svg.CARD if hollow else colour,
        markeredgecolor=colour,
        markeredgewidth=2,
        zorder=3,
    )


def _beside(axes: Any, place: int, note: str) -> None:
    """A note in the column right of the axes."""
    axes.annotate(
        note,
        (1, place),
        xytext=(12, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )


def interval_plot(
    spans: Sequence[Span], key: str, title: str, axis: str, width: int = 500, row: int = 34, left: int = 110
) -> Chart:
    """Estimates with intervals about a line at zero, written out in a column on the right."""
    right, top, bottom = 176, 6, 46
    height = top + bottom + row * len(spans)
    values = [v for s in spans for v in (s.estimate, s.low, s.high) if v is not None and formatting.known(v)]
    lowest, highest = min([0.0, *values]), max([0.0, *values])
    room = max(0.07 * (highest - lowest), 0.5)
    with svg.drawing(width, height) as (figure, axes):
        figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
        _rows_axes(axes, [span.label for span in spans])
        axes.set_xlim(lowest - room, highest + room)
        axes.locator_params(axis="x", nbins=6)
        axes.axvline(0, color=svg.MUTED, linewidth=1.2, zorder=1)
        for place, (span, tick) in enumerate(zip(spans, axes.get_yticklabels(), strict=True)):
            if span.heading:
                tick.set_fontweight("bold")
            elif span.estimate is None or not formatting.known(span.estimate):
                _beside(axes, place, span.note or "no number")
            else:
                if formatting.known(span.low) and formatting.known(span.high):
                    colour = svg.MODALITY_COLOUR[span.modality]
                    axes.plot([span.low, span.high], [place] * 2, color=colour, linewidth=2.6, solid_capstyle="round")
                _marker(axes, span.estimate, place, span.modality, span.hollow)
                _beside(axes, place, span.note)
        axes.set_xlabel(axis)
        described = "; ".join(f"{s.label}: {s.note}" for s in spans if not s.heading)
        return _finished(figure, key, title, described)


@dataclass(frozen=True, slots=True)
class Dot:
    """One condition's accuracy in one task, in percent."""

    task: str
    condition: str
    input: str
    output: str
    estimate: float
    low: float | None
    high: float | None


def task_plot(dots: Sequence[Dot], tasks: Sequence[str], key: str, title: str, width: int = 1100) -> Chart:
    """Accuracy by task: text answers left, spoken answers right, the three inputs below each other in a task's row."""
    left, top, bottom, row = 160, 28, 46, 50
    height = top + bottom + row * len(tasks)
    shift = {"text": -0.25, "speech": 0.0, "image": 0.25}
    with svg.drawing(width, height, 1, 2, sharex=True, sharey=True) as (figure, panels):
        figure.subplots_adjust(left / width, bottom / height, 1 - 14 / width, 1 - top / height, wspace=0.06)
        for axes, output, name in zip(panels, ("text", "speech"), ("Text answers", "Spoken answers"), strict=True):
            _rows_axes(axes, [task.replace("_", " ") for task in tasks])
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
    """One measure of right and of wrong answers."""

    title: str
    right: Sequence[float]
    wrong: Sequence[float]


def histograms(panels: Sequence[Histogram], key: str, title: str, width: int = 1100) -> Chart:
    """Small multiples: right answers filled, wrong answers outlined, each as a share of its own number."""
    import numpy as np

    height = 210
    with svg.drawing(width, height, 1, len(panels), squeeze=False) as (figure, grid):
        figure.subplots_adjust(14 / width, 28 / height, 1 - 14 / width, 1 - 28 / height, wspace=0.1)
        for axes, panel in zip(grid[0], panels, strict=True):
            both = np.concatenate([np.asarray(panel.right, dtype=float), np.asarray(panel.wrong, dtype=float)])
            edges = np.histogram_bin_edges(both, bins=30)
            for values, filled in ((panel.right, True), (panel.wrong, False)):
                if not len(values):
                    continue
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
    """Two digits that count below a second, one behind the point above."""
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def latency_plot(ranges: Sequence[Range], key: str, title: str, width: int = 500) -> Chart:
    """Median (marker) to 95th percentile (bar) on a log axis: servers differ by orders of magnitude."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    left, right, bottom, top, row = 50, 170, 46, 6, 34
    height = top + bottom + row * len(ranges)
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
            _beside(axes, place, note)
        axes.set_xlim(min(values, default=0.1) / 1.5, max(values, default=1.0) * 1.5)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
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


def architecture_plot(dots: Sequence[TypeDot], key: str, title: str, width: int = 1100) -> Chart:
    """Every model a dot, its type a row, a panel for each condition; the bar is the type's mean."""
    types = sorted({d.architecture for d in dots})
    conditions = list(dict.fromkeys(d.condition for d in dots))
    left, top, bottom, row = 150, 28, 46, 40
    height = top + bottom + row * len(types)
    with svg.drawing(width, height, 1, len(conditions), squeeze=False, sharex=True, sharey=True) as (figure, grid):
        figure.subplots_adjust(left / width, bottom / height, 1 - 12 / width, 1 - top / height, wspace=0.08)
        for axes, condition in zip(grid[0], conditions, strict=True):
            _rows_axes(axes, [t.replace("_", " ") for t in types])
            axes.locator_params(axis="x", nbins=5)
            axes.axvline(0, color=svg.MUTED, linewidth=1.2)
            axes.set_title(condition, fontsize=12.5, fontweight="bold", loc="left")
            axes.set_xlabel("gap, points")
            for place, name in enumerate(types):
                gaps = [d.gap for d in dots if d.architecture == name and d.condition == condition]
                if gaps:
                    mean = sum(gaps) / len(gaps)
                    axes.plot([mean, mean], [place - 0.3, place + 0.3], color=svg.INK, linewidth=2.4)
                    axes.plot(gaps, [place] * len(gaps), "o", color=svg.SPEECH, alpha=0.75, markersize=8)
        described = "; ".join(f"{d.model} ({d.architecture}) {d.condition} {d.gap:+.1f}" for d in dots)
        return _finished(figure, key, title, described, wide=True)
