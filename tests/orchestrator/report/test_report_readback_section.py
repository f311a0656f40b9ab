"""Report sections on read-back and on fonts and voices, also in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.analysis import Analysis, IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.extras.readback.report_section import CarrierCheck
from omnigap_orchestrator.extras.readback.select import kept_gaps, verified_items
from omnigap_orchestrator.extras.readback.table import VERIFICATION_SCHEMA
from omnigap_orchestrator.report import write_report
from tests.orchestrator.report.fake_run import FakeRun
from tests.orchestrator.report.watched_page import Watched


def verification_of(results: pl.DataFrame) -> pl.DataFrame:
    """Every carrier of a run: one lost recording, one lost image, two doubtful ones, the rest kept."""
    carriers = results.filter(pl.col("input") != "text").unique(["item_id", "input"], maintain_order=True)
    rows = []
    spoiled = {("speech", 0): "lost", ("image", 1): "lost", ("speech", 2): "doubtful", ("image", 3): "doubtful"}
    places: dict[str, int] = {}
    for cell in carriers.iter_rows(named=True):
        place = places[cell["input"]] = places.get(cell["input"], -1) + 1
        verdict = spoiled.get((cell["input"], place), "kept")
        spoken = cell["input"] == "speech"
        row = {
            "item_id": cell["item_id"],
            "task": cell["task"],
            "language": cell["language"],
            "modality": cell["input"],
            "variant": 0,
            "voice": "en-us" if spoken else None,
            "font": None if spoken else "DejaVu Sans",
            "media": cell["input_media"],
            "reader": "asr" if spoken else "ocr",
            "reader_digest": "d" * 64,
            "said": "What <is> it?",
            "read": "what <is> it" if verdict == "kept" else "what",
            "errors": 0 if verdict == "kept" else 2,
            "words": 3,
            "word_error": 0.0 if verdict == "kept" else 2 / 3,
            "missing": [],
            "max_word_error": 0.2,
            "verdict": verdict,
            "why": "" if verdict == "kept" else "2 of 3 words left no trace",
        }
        rows.append({name: row.get(name) for name in VERIFICATION_SCHEMA.names()})
    return pl.DataFrame(rows, schema=VERIFICATION_SCHEMA)


@pytest.fixture(scope="module")
def check(run: FakeRun) -> CarrierCheck:
    table = verification_of(run.results)
    verified = verified_items(run.results, table)
    return CarrierCheck(table, verified, kept_gaps(run.results, verified, "t2t", MissingRule(), IntervalOptions()))


@pytest.fixture(scope="module")
def report(run: FakeRun, analysis: Analysis, check: CarrierCheck) -> Path:
    target = run.folder / "carriers.html"
    write_report(
        target,
        run.results,
        replace(analysis, evidence={"readback": check}),
        run.catalogue,
        run.info,
        media_path=run.media_path,
    )
    return target


def section(page: str, key: str) -> str:
    found = re.search(rf'<section class="part" id="{key}".*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_section_counts_carriers_and_compares_gaps(report: Path, check: CarrierCheck) -> None:
    page = section(report.read_text(encoding="utf-8"), "verification")
    items = check.verified.items.height
    assert f"{items - 4} of {items} items are verified" in page
    assert "2 are doubtful and 2 lost content" in page
    assert page.count("2 of 3 words left no trace") == 4
    # Expected and read texts are escaped.
    assert "What &lt;is&gt; it?" in page
    assert "<is>" not in page
    model = check.gaps["model"][0]
    rows = check.gaps.filter(model=model, condition="s2t").select("items_kept", "items").rows()
    assert rows == [("all", items), ("not_lost", items - 2), ("verified", items - 4)]
    for label in ("all items", "without lost ones", "verified items"):
        assert label in page


def test_methods_name_the_readers_the_threshold_and_the_counts(check: CarrierCheck) -> None:
    carriers = check.table.height
    sentence = check.sentence()
    for part in ("images by ocr", "recordings by asr", "at most 20 %", f"{carriers - 4} of {carriers}"):
        assert part in sentence
    assert "(2 doubtful, 2 lost, 0 unread)" in sentence


def test_run_without_verification_has_no_section(run: FakeRun, analysis: Analysis, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=lambda _: None)
    assert 'id="verification"' not in target.read_text(encoding="utf-8")


def test_gaps_are_compared_by_font(run: FakeRun, tmp_path: Path) -> None:
    # The same run with a second font, in which the model answers no image question.
    shown = pl.col("input") == "image"
    second = run.results.with_columns(
        replicate=pl.lit(1, pl.Int32),
        font=pl.when(shown).then(pl.lit("Blackletter")),
        score=pl.when(shown).then(pl.lit(0.0)).otherwise(pl.col("score")),
    )
    first = run.results.with_columns(
        replicate=pl.lit(0, pl.Int32), font=pl.when(shown).then(pl.lit("Sans")), score=pl.col("score")
    )
    results = pl.concat([first, second.select(first.columns)])
    target = tmp_path / "report.html"
    write_report(target, results, analyse(results), run.catalogue, run.info, media_path=lambda _: None)
    page = section(target.read_text(encoding="utf-8"), "variance")
    assert "Blackletter" in page
    assert "points over 2 fonts" in page
    for table in ("table-spreads", "table-levels", "table-variance-components"):
        assert table in page


@pytest.mark.browser
async def test_lost_carriers_are_shown_and_play(report: Path, watched: Watched) -> None:
    await watched.page.goto(report.as_uri())
    lost = watched.page.locator("#table-carriers-lost")
    assert await lost.locator("tbody tr").count() == 2
    image, audio = lost.locator("img"), lost.locator("audio")
    await image.scroll_into_view_if_needed()
    await image.evaluate("element => element.decode()")
    assert await image.evaluate("element => element.naturalWidth > 0")
    length = await audio.evaluate(
        """element => new Promise(resolve => {
            element.addEventListener("loadedmetadata", () => resolve(element.duration));
            element.addEventListener("error", () => resolve(-1));
            element.preload = "metadata";
            element.load();
        })"""
    )
    assert length > 0
    assert watched.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in watched.requests)


@pytest.mark.browser
async def test_tables_of_the_section_fit_the_page(report: Path, watched: Watched) -> None:
    await watched.page.goto(report.as_uri())
    await watched.page.evaluate("document.querySelectorAll('#verification > details').forEach(d => d.open = true)")
    for key in ("carriers", "carriers-lost", "gaps-verified", "carriers-doubtful"):
        box = watched.page.locator(f"#table-{key} .scroll")
        assert await box.evaluate("element => element.scrollWidth <= element.clientWidth"), key
