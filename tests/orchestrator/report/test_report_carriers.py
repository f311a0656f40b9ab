"""The report's sections on carriers: what was lost, to see and to hear, and whose gap it is; in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from fake_run import FakeRun
from watched_page import Watched

from omnigap_orchestrator.analysis import Analysis, IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.extras.readback.report_section import CarrierCheck
from omnigap_orchestrator.extras.readback.select import kept_gaps, verified_items
from omnigap_orchestrator.extras.readback.table import VERIFICATION_SCHEMA
from omnigap_orchestrator.report import write_report


def verification_of(results: pl.DataFrame) -> pl.DataFrame:
    """Every carrier of a run, kept but for a lost recording, a lost picture and two doubtful ones."""
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


def test_the_section_counts_lists_and_compares(report: Path, check: CarrierCheck) -> None:
    page = section(report.read_text(encoding="utf-8"), "verification")
    items = check.verified.items.height
    assert f"{items - 4} of {items} items are verified" in page
    assert "2 are doubtful and 2 lost content" in page
    assert page.count("2 of 3 words left no trace") == 4
    # What was said and read stays text, whatever signs it holds.
    assert "What &lt;is&gt; it?" in page
    assert "<is>" not in page
    model = check.gaps["model"][0]
    rows = check.gaps.filter(model=model, condition="s2t").select("items_kept", "items").rows()
    assert rows == [("all", items), ("not_lost", items - 2), ("verified", items - 4)]
    for words in ("all items", "without lost ones", "verified items"):
        assert words in page


def test_the_methods_tell_who_read_what_and_by_which_rule(check: CarrierCheck) -> None:
    carriers = check.table.height
    assert check.sentence() == (
        "Made carriers were read back, images by ocr and recordings by asr, and kept where word error was at most 20 % "
        f"and every number, name, negation, choice and choice letter came back: {carriers - 4} of {carriers} "
        "(2 doubtful, 2 lost, 0 unread)."
    )


def test_without_a_check_and_without_levels_there_are_no_such_sections(
    run: FakeRun, analysis: Analysis, tmp_path: Path
) -> None:
    target = tmp_path / "report.html"
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=lambda _: None)
    assert 'id="verification"' not in target.read_text(encoding="utf-8")


def test_a_gap_is_said_to_be_the_modality_s_or_the_level_s(run: FakeRun, tmp_path: Path) -> None:
    # The same run again with another font, in which nothing drawn is read.
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
    assert "Fonts and voices: whose gap is it?" in page
    assert "Blackletter" in page
    assert "points over 2 fonts" in page
    for table in ("table-spreads", "table-levels", "table-variance-components"):
        assert table in page


@pytest.mark.browser
async def test_what_was_lost_can_be_seen_and_heard(report: Path, watched: Watched) -> None:
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
async def test_the_tables_of_the_section_fit_the_page(report: Path, watched: Watched) -> None:
    await watched.page.goto(report.as_uri())
    await watched.page.evaluate("document.querySelectorAll('#verification > details').forEach(d => d.open = true)")
    for key in ("carriers", "carriers-lost", "gaps-verified", "carriers-doubtful"):
        box = watched.page.locator(f"#table-{key} .scroll")
        assert await box.evaluate("element => element.scrollWidth <= element.clientWidth"), key
