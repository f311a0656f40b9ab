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
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
from omnigap_orchestrator.extras.asr_correction.transcript_errors import GOLDS_SCHEMA
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.report import RunInfo, ServiceInfo, write_report
from omnigap_orchestrator.report.statements import (
    across_models_text,
    sources_text,
    transcripts_text,
    unadjusted_text,
)
from omnigap_orchestrator.report.warnings import run_warnings
from tests.orchestrator.analysis.made_up_results import drawn
from tests.orchestrator.extras.asr_correction.calibration_clips import clips
from tests.orchestrator.report.fake_run import FakeRun, make_run


def keys(info: RunInfo, analysis: Analysis) -> list[str]:
    return [warning.key for warning in run_warnings(info, analysis)]


def test_each_warning_has_its_cause(run: FakeRun, analysis: Analysis) -> None:
    quiet = replace(run.info, embedded=False, shared_asr_checkpoint=(), models=())
    assert keys(quiet, analysis) == ["latency"]
    assert keys(replace(quiet, embedded=True), analysis) == ["embedded", "latency"]
    assert keys(replace(quiet, espeak_warning="espeak speaks"), analysis) == ["espeak-language", "latency"]
    assert keys(replace(quiet, shared_asr_checkpoint=("omni",)), analysis) == ["shared-checkpoint", "latency"]
    misfiled = ("answers of omni: 2 with the digest b instead of the digest a",)
    (found, _) = run_warnings(replace(quiet, misfiled=misfiled), analysis)
    assert (found.key, misfiled[0] in found.text) == ("misfiled", True)
    # The warning of the demo models names it already.
    assert keys(replace(quiet, embedded=True, shared_asr_checkpoint=("cascade",)), analysis) == ["embedded", "latency"]


def test_a_cascade_is_called_one_with_its_parts(run: FakeRun, analysis: Analysis) -> None:
    parts = ("asr faster-whisper/tiny.en", "tts piper", "llm SmolLM2")
    small = ServiceInfo("small", architecture="cascade", parts=parts)
    info = replace(run.info, embedded=False, shared_asr_checkpoint=(), models=(small, ServiceInfo("omni")))
    (found,) = [warning for warning in run_warnings(info, analysis) if warning.key == "cascade"]
    assert found.text.startswith("small (asr faster-whisper/tiny.en, tts piper, llm SmolLM2) is a cascade of separate")
    assert "not an omni model" in found.text
    for other in (replace(info, embedded=True), replace(info, models=(ServiceInfo("omni"),))):
        assert "cascade" not in keys(other, analysis)


def with_errors(results: pl.DataFrame, rate: float | None, words: int = 50) -> pl.DataFrame:
    """The results with this rate of word errors in every transcript; None: without own texts."""
    heard = pl.col("transcript").is_not_null()
    counts = {"wer_errors": None if rate is None else round(rate * words), "wer_words": None if rate is None else words}
    return results.with_columns(
        pl.when(heard).then(pl.lit(value, pl.Int64)).alias(name) for name, value in counts.items()
    )


def calibrated(rate: float, texts: int = 100) -> dict[str, object]:
    """Evidence of a calibration in the voice `joe`: in each of the texts, this rate of words is wrong."""
    names = ("rome", "oslo", "lima", "cairo", "paris", "delhi", "quito", "dakar", "accra", "sofia")
    spoken = [f"{name} and {other} are large and quite old towns near rivers" for name in names for other in names][
        :texts
    ]
    heard = [" ".join(["wrong"] * round(11 * rate) + text.split()[round(11 * rate) :]) for text in spoken]
    table = clips([(f"q{n}", "gold", text, True) for n, text in enumerate(spoken)]).with_columns(
        transcript=pl.Series(heard), metric=pl.lit("exact_match"), score=pl.lit(1.0), voice=pl.lit("joe")
    )
    return {"asr_correction": AsrEvidence(clips=table, golds=GOLDS_SCHEMA.to_frame())}


MISMATCH = {
    "a few percent": (0.04, None, ""),
    "18 percent": (0.18, None, ""),
    "35 percent": (0.36, None, "The ASR scorer misunderstands cascade (36.0 % word errors ["),
    "101 percent": (1.02, None, "The ASR scorer does not understand cascade (102.0 % word errors ["),
    "no own text, calibrated": (None, 0.0, ""),
    "no own text, calibrated badly": (None, 0.45, "The ASR scorer misunderstands the voice joe (45.5 % word errors ["),
    "own text beats calibration": (0.04, 0.45, ""),
    "nothing measured": (None, None, "Not measured: how well the ASR scorer understands cascade."),
}


@pytest.mark.parametrize(("own", "calibration", "expected"), MISMATCH.values(), ids=MISMATCH)
def test_a_scorer_is_called_unsuited_by_measurement_only(
    run: FakeRun, own: float | None, calibration: float | None, expected: str
) -> None:
    results = with_errors(run.results, own)
    found = analyse(results, evidence={} if calibration is None else calibrated(calibration))
    # Names say nothing: the shipped scorer and another one, the shipped models and others.
    for name in ("asr", "omnigap-micro-whisper", "whisper-tiny.en"):
        info = replace(run.info, asr=ServiceInfo(name), embedded=name == "asr", finished=None)
        titles = [w.title for w in run_warnings(info, found) if w.key.startswith("scorer-")]
        assert [title[: len(expected)] for title in titles] == [expected] * bool(expected)
        # The page has the same title, and the measured rate in any case.
        page = run.folder / f"report-{name}.html"
        write_report(page, results, found, run.catalogue, info, media_path=run.media_path)
        text = page.read_text(encoding="utf-8")
        assert ('id="banner-scorer-' in text) is bool(expected)
        assert expected in text
        if own is not None:
            assert f"Our transcripts have {100 * own:.1f} % word errors [" in text
            assert f"{100 * own:.1f} % word errors" in transcripts_text(found, "cascade")


def test_a_calibration_that_decides_nothing_leaves_it_open(run: FakeRun) -> None:
    found = analyse(with_errors(run.results, None), evidence=calibrated(0.3, texts=2))
    (warning,) = [w for w in run_warnings(run.info, found) if w.key.startswith("scorer-")]
    assert (warning.key, warning.title) == ("scorer-unmeasured", "")
    assert "Too few texts to say whether the ASR scorer understands cascade and the voice joe (27.3 %" in warning.text
    # A voice that is decided does not silence another one.
    evidence = calibrated(0.0)["asr_correction"]
    assert isinstance(evidence, AsrEvidence) and evidence.clips is not None
    heard = evidence.clips["spoken"][0]
    other = evidence.clips.head(2).with_columns(voice=pl.lit("amy"), transcript=pl.Series([heard, "all wrong"]))
    both = AsrEvidence(clips=pl.concat([evidence.clips, other]), golds=evidence.golds)
    found = analyse(with_errors(run.results, None), evidence={"asr_correction": both})
    (warning,) = [w for w in run_warnings(run.info, found) if w.key.startswith("scorer-")]
    assert "understands the voice amy (" in warning.text and "cascade" not in warning.text


def test_a_mismatch_does_not_hide_what_was_not_measured(tmp_path: Path) -> None:
    made = make_run(tmp_path, models=("cascade", "omni-7b", "tiny-moe"), limit=40, media=False)
    by_model = {"cascade": 0.36, "omni-7b": 1.02, "tiny-moe": None}
    results = pl.concat([with_errors(made.results.filter(model=name), rate) for name, rate in by_model.items()])
    (found,) = [w for w in run_warnings(made.info, analyse(results)) if w.key.startswith("scorer-")]
    assert found.key == "scorer-mismatch"
    understood = found.title.removeprefix("The ASR scorer does not understand ")
    assert understood.startswith("omni-7b (102.0 %") and ", and misunderstands cascade (36.0 %" in understood
    assert "Not measured: how well the ASR scorer understands tiny-moe. `omnigap-orchestrate calibrate`" in found.text
    # The fix fits any scorer.
    assert "[scorer] endpoints" in found.text and "checkpoint" not in found.text


def test_a_scorer_of_another_tool_is_not_judged(run: FakeRun) -> None:
    found = analyse(with_errors(run.results, 0.9))
    assert "scorer-mismatch" not in keys(replace(run.info, asr=None), found)


def test_few_answers_leave_it_open_without_an_alarm(run: FakeRun) -> None:
    heard = run.results.filter(pl.col("transcript").is_not_null())["item_id"].unique(maintain_order=True).head(5)
    results = with_errors(run.results, None).with_columns(
        wer_errors=pl.when(pl.col("item_id").is_in(heard.to_list()))
        .then(pl.col("item_id").rank("dense").mod(2))
        .cast(pl.Int64),
        wer_words=pl.when(pl.col("item_id").is_in(heard.to_list())).then(pl.lit(1, pl.Int64)),
    )
    (found,) = [w for w in run_warnings(run.info, analyse(results)) if w.key.startswith("scorer-")]
    assert found.title == ""
    assert "Too few answers to say whether the ASR scorer understands cascade (" in found.text


def test_several_models_share_one_warning(tmp_path: Path) -> None:
    made = make_run(tmp_path, models=("cascade", "tiny-moe"), limit=40, media=False)
    (found,) = [w for w in run_warnings(made.info, analyse(with_errors(made.results, 0.4))) if "scorer" in w.key]
    assert found.title.count("40.0 % word errors") == 2
    assert "against the models' own texts" in found.text


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
    run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, analysis = run.info, analyse(with_errors(run.results, 0.9))
    summary = Summary.of("small", info, analysis)
    assert summary.warnings[0].key == "scorer-mismatch"
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
