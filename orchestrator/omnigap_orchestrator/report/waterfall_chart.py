"""The waterfall: from the reference to a condition step by step, each step starting where the last one ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from omnigap_orchestrator.report import svg, words
from omnigap_orchestrator.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Fall:
    """One step of one condition, in points, with its interval; `total` is the gap that the steps add up to."""

    condition: str
    label: str
    estimate: float
    low: float | None = None
    high: float | None = None
    total: bool = False


def waterfall_plot(falls: Sequence[Fall], key: str, title: str, width: int = 1100) -> Chart:
    """Losses to the left and gains to the right of where the step before ended; the last bar starts at zero again.

    A thin line through the end of a bar is the interval of its step.
    """
    conditions = list(dict.fromkeys(fall.condition for fall in falls))
    # The longest chain names the rows in its order; the total comes last.
    chains = [[f.label for f in falls if f.condition == c and not f.total] for c in conditions]
    labels = list(dict.fromkeys(label for chain in sorted(chains, key=len, reverse=True) for label in chain))
    labels.append(next((fall.label for fall in falls if fall.total), "gap"))
    left, top, bottom, row = 170, 28, 46, 40
    height = top + bottom + row * len(labels)
    with svg.drawing(width, height, 1, len(conditions), squeeze=False, sharex=True, sharey=True) as (figure, grid):
        figure.subplots_adjust(left / width, bottom / height, 1 - 14 / width, 1 - top / height, wspace=0.08)
        for axes, condition in zip(grid[0], conditions, strict=True):
            axes.set_yticks(range(len(labels)), labels)
            axes.set_ylim(len(labels) - 0.5, -0.5)
            axes.axvline(0, color=svg.MUTED, linewidth=1.2, zorder=1)
            axes.set_title(condition, fontsize=12.5, fontweight="bold", loc="left")
            axes.set_xlabel("points from the reference")
            axes.use_sticky_edges = False
            axes.margins(x=0.24)
            reached = 0.0
            for fall in (f for f in falls if f.condition == condition):
                start = 0.0 if fall.total else reached
                place = labels.index(fall.label)
                colour = svg.INK if fall.total else svg.LOSS if fall.estimate < 0 else svg.GAIN
                axes.barh(place, fall.estimate, left=start, height=0.56, color=colour, zorder=2)
                reached = start + fall.estimate
                if not fall.total:
                    axes.plot([reached] * 2, [place + 0.28, place + 0.72], color=svg.MUTED, linewidth=1, zorder=1)
                side = 1 if fall.estimate >= 0 else -1
                ends = [reached]
                if fall.low is not None and fall.high is not None:
                    ends += [start + fall.low, start + fall.high]
                    axes.plot(ends[1:], [place] * 2, color=svg.INK, linewidth=1.2, alpha=0.55, zorder=3)
                axes.annotate(
                    words.points(fall.estimate / 100),
                    (max(ends) if side > 0 else min(ends), place),
                    xytext=(6 * side, 0),
                    textcoords="offset points",
                    va="center",
                    ha="left" if side > 0 else "right",
                )
        described = "; ".join(f"{f.condition} {f.label} {f.estimate:+.1f}" for f in falls)
        return Chart(title, Markup(svg.to_svg(figure, key, title, described)), wide=True)
