"""Charts: page colours, text alternatives, unique ids, lazy import of matplotlib."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

from omnigap_orchestrator.report.charts import Dot, Span, interval_plot, task_plot
from omnigap_orchestrator.report.sections.waterfall import ChartStep, waterfall_plot

SPANS = (Span("s2t", -12.0, -15.0, -9.0, "\u221212.0", "speech"), Span("i2t", note="refused"))


def test_chart_uses_only_colours_of_the_page() -> None:
    drawing = str(interval_plot(SPANS, "a", "Gaps", "points").drawing)
    assert "var(--speech-in)" in drawing and "var(--muted)" in drawing
    assert not re.findall(r"#[0-9a-f]{6}\b", drawing)


def test_chart_is_well_formed_and_has_a_text_alternative() -> None:
    root = ElementTree.fromstring(str(interval_plot(SPANS, "a", "Gaps <1>", "points").drawing))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Gaps <1>. s2t: \u221212.0; i2t: refused"


def test_charts_of_a_page_share_no_id() -> None:
    found = [set(re.findall(r' id="([^"]+)"', str(interval_plot(SPANS, key, "t", "x").drawing))) for key in "ab"]
    assert found[0] and not found[0] & found[1]


def test_dollar_sign_in_a_name_is_not_parsed_as_tex() -> None:
    dots = [Dot("cost_$x_1$", "t2t", "text", "text", 50.0, 40.0, 60.0)]
    drawing = str(task_plot(dots, ["cost_$x_1$"], "k", "t").drawing)
    assert ">cost $x 1$<" in drawing


def test_matplotlib_is_imported_only_when_a_chart_is_drawn() -> None:
    code = "import sys, omnigap_orchestrator.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_waterfall_rows_follow_the_longest_chain() -> None:
    steps = [
        ChartStep("s2s", "perception", -10.0),
        ChartStep("s2s", "synthesis", -5.0),
        ChartStep("s2s", "gap", -15.0, total=True),
    ]
    steps += [ChartStep("t2s", "synthesis", 3.0), ChartStep("t2s", "gap", 3.0, total=True)]
    drawing = str(waterfall_plot(steps, "w", "Steps").drawing)
    rows = re.findall(r">(perception|synthesis|gap)<", drawing)
    assert rows == ["perception", "synthesis", "gap"]
    assert [drawing.count(f">{text}<") for text in ("\u221210.0", "\u221215.0", "+3.0")] == [1, 1, 2]
