"""Warnings of a run: the same list in the report, in summary.json and in the terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.cli import run as cli_run
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.report import RunInfo
from omnigap_orchestrator.report.statements import across_models_text, sources_text, unadjusted_text
from omnigap_orchestrator.report.warnings import run_warnings
from tests.orchestrator.analysis.made_up_results import drawn
from tests.orchestrator.report.fake_run import FakeRun, make_run


def keys(info: RunInfo, analysis: Analysis) -> list[str]:
    return [warning.key for warning in run_warnings(info, analysis)]


def test_each_warning_has_its_cause(run: FakeRun, analysis: Analysis) -> None:
    quiet = replace(run.info, embedded=False, shared_asr_checkpoint=())
    assert keys(quiet, analysis) == ["latency"]
    assert keys(replace(quiet, embedded=True), analysis) == ["embedded", "latency"]
    assert keys(replace(quiet, scorer_mismatch=True), analysis) == ["scorer-mismatch", "latency"]
    assert keys(replace(quiet, espeak_warning="espeak speaks"), analysis) == ["espeak-language", "latency"]
    assert keys(replace(quiet, shared_asr_checkpoint=("omni",)), analysis) == ["shared-checkpoint", "latency"]
    misfiled = ("answers of omni: 2 with the digest b instead of the digest a",)
    (found, _) = run_warnings(replace(quiet, misfiled=misfiled), analysis)
    assert (found.key, misfiled[0] in found.text) == ("misfiled", True)
    # The warning of the demo models names it already.
    assert keys(replace(quiet, embedded=True, shared_asr_checkpoint=("cascade",)), analysis) == ["embedded", "latency"]


def test_a_server_without_audio_is_named_with_its_conditions(run: FakeRun) -> None:
    spoken = pl.col("output") == "speech"
    failed = run.results.with_columns(
        outcome=pl.when(spoken).then(pl.lit("failed")).otherwise("outcome"),
        score=pl.when(~spoken).then("score"),
        transcript=pl.lit(None, pl.String),
        audio_seconds=pl.lit(None, pl.Float64),
        error_reason=pl.when(spoken).then(pl.lit("MODEL_ERROR")),
        error_message=pl.when(spoken).then(
            pl.lit("speech was requested, but the answer has no audio, only the text 'Paris'")
        ),
    )
    (found,) = [w for w in run_warnings(run.info, analyse(failed)) if w.key == "no-audio"]
    assert found.title == "No answer has audio: cascade in t2s, s2s and i2s."
    other = failed.with_columns(error_message=pl.when(spoken).then(pl.lit("out of memory")))
    assert "no-audio" not in keys(run.info, analyse(other))


def test_results_of_another_tool_get_no_warning_about_audio() -> None:
    assert "no-audio" not in keys(RunInfo("theirs"), analyse(drawn(20)))


def test_terminal_and_summary_have_the_warnings_of_the_report(
    run: FakeRun, analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = replace(run.info, scorer_mismatch=True)
    summary = Summary.of("small", info, analysis)
    summary.write(tmp_path / "summary.json")
    assert Summary.read(tmp_path / "summary.json").warnings == summary.warnings == run_warnings(info, analysis)
    out = StringIO()
    monkeypatch.setattr(cli_run, "Terminal", lambda: Console(file=out, width=500))
    cli_run.print_result(summary, RunFolder(tmp_path), as_json=False)
    for warning in summary.warnings:
        assert warning.sentence().replace("`", "") in out.getvalue()
    for said in ("p (Holm)", "by transcript", "transcript - own text", sources_text(analysis, "cascade")):
        assert said in out.getvalue()


def test_statements_name_what_the_scores_rest_on(run: FakeRun, analysis: Analysis) -> None:
    assert "own text (t2s, s2s, i2s)" in sources_text(analysis, "cascade")
    heard = analyse(run.results.with_columns(own_text=pl.lit(""), own_text_score=pl.lit(None, pl.Float64)))
    assert "by our transcript (t2s, s2s, i2s)" in sources_text(heard, "cascade")
    assert sources_text(analyse(drawn(20)), "demo") == ""


def test_several_models_get_a_sentence_about_all_of_them(tmp_path: Path) -> None:
    results = make_run(tmp_path, models=("cascade", "tiny-moe"), limit=60, media=False).results
    analysis = analyse(results)
    assert "Holm over 16 tests" in across_models_text(analysis, 0.95)
    assert across_models_text(analyse(results.filter(model="cascade")), 0.95) == ""
    assert isinstance(unadjusted_text(analysis, "cascade", 0.95), str)
