"""Text of the report page: banners, refused gaps, methods; and no references to the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.report import RunInfo, write_report
from omnigap_orchestrator.report.methods import methods_paragraphs
from omnigap_orchestrator.results import RESULTS_SCHEMA
from tests.orchestrator.report.fake_run import FakeRun

Write = Callable[..., str]


@pytest.fixture
def page(run: FakeRun, empty_folder: Path) -> Write:
    """Writes a report of changed results or info without media, and returns the page."""

    def write(results: pl.DataFrame | None = None, info: RunInfo | None = None, **options: int) -> str:
        table = run.results if results is None else results
        target = empty_folder / "report.html"
        write_report(
            target,
            table,
            analyse(table),
            run.catalogue,
            info or run.info,
            media_path=lambda _: None,
            **options,  # type: ignore[arg-type]
        )
        return target.read_text(encoding="utf-8")

    return write


@pytest.fixture(scope="module")
def plain(run: FakeRun, analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of the unchanged run."""
    target = tmp_path_factory.mktemp("plain") / "report.html"
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=lambda _: None)
    return target.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_page_has_no_reference_to_the_network(plain: str) -> None:
    html = plain
    addresses = re.findall(r'(?:src|href|action|data)="([^"]*)"', html)
    assert addresses
    assert not [a for a in addresses if re.match(r"[a-z]+:|//", a) and not a.startswith("data:")]
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_banner_of_embedded_services_names_models_that_share_the_scorers_checkpoint(plain: str) -> None:
    banner = re.search(r'id="banner-embedded">(.*?)</p>', plain, flags=re.DOTALL)
    assert banner is not None
    assert "cascade uses the same ASR checkpoint" in text_of(banner[1])


def test_run_of_other_models_has_no_banner(page: Write, run: FakeRun) -> None:
    others = tuple(replace(service, architecture="native_omni") for service in run.info.models)
    html = page(info=replace(run.info, embedded=False, shared_asr_checkpoint=(), models=others))
    assert "banner-embedded" not in html
    # Only the remark on the latencies, which every run needs until they are measured on an idle service.
    assert re.findall(r'role="note" id="([a-z-]+)"', html) == ["banner-latency"]


def test_banner_of_an_incomplete_run_gives_the_reason(page: Write, run: FakeRun) -> None:
    html = page(info=replace(run.info, incomplete="12 cells are pending: start omni-7b."))
    assert "12 cells are pending: start omni-7b." in html[html.index('id="banner-incomplete"') :]


def test_refused_gaps_have_a_reason_and_no_number(page: Write, run: FakeRun) -> None:
    lost = (pl.col("condition") == "s2t") & (pl.int_range(pl.len()) < 120)
    results = run.results.with_columns(
        outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"),
        score=pl.when(lost).then(None).otherwise("score"),
        error_reason=pl.when(lost).then(pl.lit("MODEL_ERROR")),
        error_message=pl.when(lost).then(pl.lit("the decoder ran out of words")),
    )
    html = page(results)
    text = text_of(html)
    assert re.search(r'data-condition="s2t"[^>]*>.*?gap refused', html, flags=re.DOTALL)
    assert "the decoder ran out of words" in text
    assert "20 of 252 planned cells" in text


def test_conditions_that_a_model_lacks_are_shown_as_unsupported(page: Write, run: FakeRun) -> None:
    spoken = pl.col("output") == "speech"
    results = run.results.with_columns(
        outcome=pl.when(spoken).then(pl.lit("unsupported")).otherwise("outcome"),
        score=pl.when(spoken).then(None).otherwise("score"),
        own_text_score=pl.lit(None, pl.Float64),
    )
    html = page(results)
    cell = html[html.index('data-condition="s2s"') :]
    assert "unsupported" in cell[: cell.index("</td>")]
    assert "126 further cells" in text_of(html)


def test_run_without_answers_has_a_report(page: Write, run: FakeRun) -> None:
    empty = run.results.with_columns(
        outcome=pl.lit("pending"),
        **{
            name: pl.lit(None, dtype)
            for name, dtype in RESULTS_SCHEMA.items()
            if name.endswith(("score", "_s", "text", "_media")) or name.startswith("asr") or name == "transcript"
        },
    )
    text = text_of(page(empty))
    assert "has no scored answers in t2t" in text
    assert "252 cells are pending" in text


def test_methods_describe_the_run(plain: str, analysis: Analysis, run: FakeRun) -> None:
    text = text_of(plain)
    assert "42 items in" in text
    assert "beam 5, temperature 0, int8" in text
    assert "adjusted after Holm" in text
    draws = f"{analysis.options.intervals.draws:,} draws and seed {analysis.options.intervals.seed}"
    assert analysis.frames["agreement"]["method"].str.contains("bootstrap|jeffreys").any()
    assert draws in text
    closed = {name: table.clear() for name, table in analysis.frames.items()}
    t_alone = analysis.frames["gaps"].with_columns(method=pl.lit("cluster_t"))
    without = replace(analysis, frames={**closed, "gaps": t_alone})
    assert draws not in " ".join(methods_paragraphs(run.results, without, run.info))


def test_provenance_warns_of_answers_with_different_digests(page: Write, run: FakeRun) -> None:
    mixed = run.results.with_columns(
        model_digest=pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("f" * 64)).otherwise("model_digest")
    )
    assert "cascade come from 2 different digests" in text_of(page(mixed))


def test_partial_browser_links_the_complete_table(page: Write) -> None:
    html = page(browser_entries=10)
    assert "10 of 42 entries" in text_of(html)
    assert '<a href="results.parquet">' in html


def test_ids_of_the_page_are_unique(plain: str) -> None:
    html = re.sub(r"<script.*?</script>", "", plain, flags=re.DOTALL)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_references_inside_charts_have_their_targets(plain: str) -> None:
    html = plain
    ids = set(re.findall(r'\sid="([^"]+)"', html))
    assert set(re.findall(r'xlink:href="#([^"]+)"', html)) <= ids


def test_report_is_reproducible(plain: str, page: Write) -> None:
    assert page() == plain


def test_every_part_of_the_analysis_has_its_section(plain: str) -> None:
    html = plain
    sections = re.findall(r'<section class="part" id="([^"]+)"', html)
    expected = "gaps effects tasks waterfall consistency asr routing power missing latency items methods"
    assert " ".join(sections) == expected
    linked = re.findall(r'<nav aria-label="Sections">(.*?)</nav>', html, flags=re.DOTALL)[0]
    assert re.findall(r'href="#([^"]+)"', linked) == sections


def test_architecture_types_are_compared_for_several_models(run: FakeRun, page: Write) -> None:
    other = run.results.with_columns(model=pl.lit("omni"), architecture=pl.lit("native_omni"))
    html = page(pl.concat([run.results, other]))
    assert 'id="types"' in html
    assert "it needs 4 models of each of two types" in html
    assert "All models" in html


def test_single_file_embeds_media_beyond_the_budget(run: FakeRun, analysis: Analysis) -> None:
    def report(single: bool) -> int:
        written = write_report(
            run.folder / "single.html",
            run.results,
            analysis,
            run.catalogue,
            run.info,
            media_path=run.media_path,
            single_file=single,
            media_budget=100_000,
        )
        assert written.path.stat().st_size == written.bytes
        return written.linked

    assert report(single=False) > 0
    assert report(single=True) == 0
