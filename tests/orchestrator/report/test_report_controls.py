"""Report of a run with control cells: section, waterfall, methods and item browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.report import write_report
from omnigap_orchestrator.report.methods import controls_paragraph
from omnigap_orchestrator.report.summary_text import summarise
from omnigap_orchestrator.results import CONTROLS_SCHEMA
from tests.orchestrator.report.fake_run import FakeRun
from tests.orchestrator.report.watched_page import Watched

PROMPTS = ("Write down what you hear.", "Write down what you read.")


def controls_of(results: pl.DataFrame) -> pl.DataFrame:
    """All kinds: two-pass loses a quarter, every eighth blank is right, every tenth repeat changes its score."""
    place = pl.int_range(pl.len())
    kinds = {
        "two-pass": (pl.col("condition").is_in(["s2t", "i2t"]), pl.col("score") * (place % 4 != 0)),
        "blank": (pl.lit(True), (place % 8 == 0).cast(pl.Float64)),
        "repeat": (pl.lit(True), pl.when(place % 10 == 0).then(1 - pl.col("score")).otherwise(pl.col("score"))),
    }
    frames = [
        results.filter(chosen).with_columns(
            score=score.cast(pl.Float64),
            answer_used=pl.lit(f"answer of {kind}"),
            control=pl.lit(kind),
            first_pass=pl.lit("what <it> heard" if kind == "two-pass" else None, pl.String),
            wer_errors=pl.lit(1 if kind == "two-pass" else None, pl.Int64),
            wer_words=pl.lit(4 if kind == "two-pass" else None, pl.Int64),
            wer_errors_whisper=pl.lit(2 if kind == "two-pass" else None, pl.Int64),
            wer_words_whisper=pl.lit(5 if kind == "two-pass" else None, pl.Int64),
            chance=pl.lit(None, pl.Float64),
        )
        for kind, (chosen, score) in kinds.items()
    ]
    return pl.concat(frames).select(CONTROLS_SCHEMA.names()).cast(dict(CONTROLS_SCHEMA))


@pytest.fixture(scope="module")
def controls(run: FakeRun) -> pl.DataFrame:
    return controls_of(run.results)


@pytest.fixture(scope="module")
def controlled(run: FakeRun, controls: pl.DataFrame) -> Analysis:
    return analyse(run.results, controls=controls)


@pytest.fixture(scope="module")
def report(run: FakeRun, controls: pl.DataFrame, controlled: Analysis) -> Path:
    target = run.folder / "controls.html"
    info = replace(run.info, prompts=PROMPTS)
    write_report(target, run.results, controlled, run.catalogue, info, media_path=run.media_path, controls=controls)
    return target


def test_methods_describe_each_kind_of_control(run: FakeRun, controlled: Analysis) -> None:
    paragraph = controls_paragraph(controlled, replace(run.info, prompts=PROMPTS))
    assert "Two-pass (84 cells)" in paragraph
    assert f'"{PROMPTS[0]}" and "{PROMPTS[1]}"' in paragraph
    assert '("___")' in paragraph
    assert "Repeat (252 cells)" in paragraph


def test_methods_of_a_run_without_controls_do_not_mention_them(run: FakeRun, analysis: Analysis) -> None:
    assert controls_paragraph(analysis, run.info) == ""


def test_methods_count_control_cells_without_an_answer(run: FakeRun, controls: pl.DataFrame) -> None:
    failed = pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("failed")).otherwise(pl.col("outcome"))
    held = controls.filter(pl.col("control") == "repeat").with_columns(outcome=failed)
    assert "Repeat (168 of 252 cells answered)" in controls_paragraph(analyse(run.results, controls=held), run.info)


def test_summary_reports_the_perception_loss_of_a_two_pass_control(analysis: Analysis, controlled: Analysis) -> None:
    assert "perceiving the spoken question" in summarise(controlled, "cascade").effects
    assert "perceiving the spoken question" not in summarise(analysis, "cascade").effects


@pytest.mark.browser
async def test_controls_have_a_section_with_definitions(watched: Watched, report: Path) -> None:
    page = watched.page
    await page.goto(report.as_uri())
    section = page.locator("#controls")
    assert [await t.inner_text() for t in await section.locator("table.data:visible").all()]
    captions = await section.locator("figure.table > figcaption").all_inner_texts()
    for caption in ("Blank carriers", "Repeats", "First passes"):
        assert any(text.startswith(caption) for text in captions)
    await section.locator("#table-blank button.def").nth(1).click()
    assert await page.locator("#def-blank").is_visible()
    assert "perception" in await page.locator("#waterfall").inner_text()
    assert watched.complaints == []


@pytest.mark.browser
async def test_item_viewer_shows_the_control_answers(watched: Watched, report: Path) -> None:
    page = watched.page
    await page.goto(report.as_uri())
    await page.locator("#entry-rows tr").first.click()
    box = page.locator('#viewer-six .cell[data-condition="s2t"]')
    spoken = await box.locator("dl.controls").inner_text()
    assert "what <it> heard" in spoken
    for kind in ("two-pass", "blank", "repeat"):
        assert f"answer of {kind}" in spoken
    text = await page.locator('#viewer-six .cell[data-condition="t2t"] dl.controls').inner_text()
    assert "two-pass" not in text
    assert watched.complaints == []
