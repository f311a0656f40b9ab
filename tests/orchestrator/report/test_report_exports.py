"""Tables of the report as CSV and LaTeX, taken from the page in a real browser."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
from omnigap_orchestrator.report import write_report
from tests.orchestrator.report.fake_run import FakeRun
from tests.orchestrator.report.watched_page import Watched

pytestmark = pytest.mark.browser


def clips(types: list[str]) -> pl.DataFrame:
    """20 gold answers of each type, four of them scored wrong, and 20 wrong answers that are all scored wrong."""
    rows = [
        (kind, f"{kind} {clip_kind} {i}", "gold" if right else clip_kind, right, right and i >= 4)
        for kind in types
        for clip_kind, right in (("gold", True), ("distractor", False))
        for i in range(20)
    ]
    frame = pl.DataFrame(
        rows, schema=["answer_type", "spoken", "clip_kind", "truly_right", "scored_right"], orient="row"
    )
    return frame.with_columns(item_id=pl.col("spoken"), voice=pl.lit(None, pl.String))


async def exported(watched: Watched, key: str, kind: str) -> str:
    """The content of the text area of the table."""
    figure = watched.page.locator(f"#table-{key}")
    await figure.locator("details.export > summary").click()
    await figure.locator(f"button[data-format={kind}]").click()
    return await figure.locator("textarea").input_value()


async def test_every_table_is_rectangular_as_csv_and_as_latex(run: FakeRun, watched: Watched, tmp_path: Path) -> None:
    types = run.results["answer_type"].unique().sort().to_list()
    analysis = analyse(run.results, evidence={"asr_correction": AsrEvidence(clips=clips(types))})
    target = tmp_path / "report.html"
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=run.media_path)
    await watched.page.goto(target.as_uri())
    await watched.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    figures = watched.page.locator("figure.table:has(textarea)")
    await watched.page.wait_for_function(
        "[...document.querySelectorAll('figure.table textarea')].every((area) => area.value)"
    )
    assert await figures.count() > 15
    for place in range(await figures.count()):
        figure = figures.nth(place)
        key = await figure.get_attribute("id")
        await figure.locator("button[data-format=csv]").click()
        rows = list(csv.reader(io.StringIO(await figure.locator("textarea").input_value())))
        assert len({len(row) for row in rows}) == 1, key
        await figure.locator("button[data-format=latex]").click()
        lines = (await figure.locator("textarea").input_value()).splitlines()
        columns = len(next(line for line in lines if line.startswith("\\begin")).split("{")[-1].rstrip("}"))
        assert {line.count(" & ") + 1 for line in lines if line.endswith("\\\\")} == {columns}, key


async def test_a_rate_with_its_interval_in_one_cell_has_all_three_numbers_as_csv(
    run: FakeRun, watched: Watched, tmp_path: Path
) -> None:
    analysis = analyse(run.results, evidence={"asr_correction": AsrEvidence(clips=clips(["entity"]))})
    target = tmp_path / "report.html"
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=run.media_path)
    await watched.page.goto(target.as_uri())
    (row,) = csv.DictReader(io.StringIO(await exported(watched, "rates", "csv")))
    assert float(row["q1, gold answers, %"]) == pytest.approx(80.0)
    assert float(row["q1, gold answers, % low"]) < 80.0 < float(row["q1, gold answers, % high"])
    assert row["q0, confusables, %"] == ""
