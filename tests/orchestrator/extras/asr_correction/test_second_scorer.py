"""Tests of the second ASR scorer: it transcribes the same answers, and the run is complete without it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.pool import ServiceError
from omnigap_orchestrator.preflight import Status
from omnigap_orchestrator.preflight.doctor import diagnose
from omnigap_orchestrator.run import Changes, resume
from tests.helpers.running import Setting, Silent, outcomes
from tests.helpers.served_doubles import Double, Serve
from tests.orchestrator.extras.asr_correction.fake_speech import CITIES, TEXT_IN, FakeSpeech, a_setting

TRANSCRIBE_AND_SCORE = RunScope.parse((), (), ("transcribe", "score"))


async def with_second(speech: FakeSpeech, host: Serve, root: Path, other: FakeSpeech) -> tuple[Setting, Double]:
    """A run whose second scorer makes other errors than the first."""
    other.texts = speech.texts
    scorer = Double(other.transcribe, name="other ASR")
    tables = {**TEXT_IN, "second_scorer": {"endpoints": [await host(scorer)]}}
    return await a_setting(speech, host, root, tables=tables), scorer


async def test_both_scorers_transcribe_the_same_answers(tmp_path: Path, host: Serve) -> None:
    first, other = (
        FakeSpeech(mistranscribed={"Paris": "Harris", "Oslo": "also"}),
        FakeSpeech(mistranscribed={"Madrid": "my grid"}),
    )
    setting, scorer = await with_second(first, host, tmp_path, other)
    summary = await setting.drive()
    table = pl.read_parquet(setting.folder.results)
    spoken = table.filter(output="speech").sort("item_id")
    assert spoken["transcript"].to_list() == ["Harris", "Lisbon", "London", "also", "Berlin", "Madrid"]
    assert spoken["second_transcript"].to_list() == ["Paris", "Lisbon", "London", "Oslo", "Berlin", "my grid"]
    assert spoken["second_score"].to_list() == [1, 1, 1, 1, 1, 0]
    assert spoken["second_asr_digest"].n_unique() == 1
    assert spoken["second_asr_digest"][0] != spoken["asr_digest"][0]
    assert table.filter(output="text")["second_score"].null_count() == len(CITIES)
    (row,) = summary["calibrated"]
    assert row["raw"] == pytest.approx(4 / 6)
    assert row["second_scorer"] == pytest.approx(5 / 6)
    assert row["second_gap"] == pytest.approx(-1 / 6)
    assert row["second_n"] == 6
    assert row["reason"] == "not calibrated"
    assert len(scorer.asked) == 6
    manifest = tomllib.loads(setting.folder.manifest.read_text(encoding="utf-8"))
    assert manifest["services"]["second_scorer"]["digest"] == spoken["second_asr_digest"][0]
    written = setting.folder.report.read_text(encoding="utf-8")
    digest = manifest["services"]["second_scorer"]["digest"][:12]
    assert f"A second ASR model (other ASR; digest {digest}) transcribed 6 spoken answers" in written
    await setting.drive()
    assert len(scorer.asked) == 6


async def test_the_run_is_complete_without_the_second_scorer(tmp_path: Path, host: Serve) -> None:
    tables = {**TEXT_IN, "second_scorer": {"endpoints": ["127.0.0.1:9"]}}
    setting = await a_setting(FakeSpeech(), host, tmp_path, tables=tables)
    summary = await setting.drive()
    assert summary["complete"]
    found = {finding.check: finding.status for finding in await diagnose(setting.config(), setting.folder.root)}
    assert next(status for check, status in found.items() if "second scorer" in check) is Status.WARNING
    assert outcomes(pl.read_parquet(setting.folder.results)) == {"answered": 12}
    assert summary["calibrated"] == []


async def test_transcribe_adds_a_second_scorer_without_model_calls(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    setting = await a_setting(speech, host, tmp_path)
    await setting.drive()
    other = FakeSpeech(mistranscribed={"Madrid": "my grid"}, texts=speech.texts)
    place = await host(Double(other.transcribe, name="other ASR"))
    summary = (await resume(setting.folder, TRANSCRIBE_AND_SCORE, Silent(), Changes(second_scorer=(place,)))).to_json()
    assert summary["calibrated"][0]["second_scorer"] == pytest.approx(5 / 6)
    again = (await resume(setting.folder, TRANSCRIBE_AND_SCORE, Silent())).to_json()
    assert again["calibrated"] == summary["calibrated"]


async def test_failed_second_transcripts_are_missing_only_from_the_comparison(tmp_path: Path, host: Serve) -> None:
    setting, _ = await with_second(FakeSpeech(), host, tmp_path, FakeSpeech(refused=frozenset({"Oslo"})))
    summary = await setting.drive()
    (row,) = summary["calibrated"]
    assert (row["n"], row["second_n"]) == (6, 5)
    assert row["second_scorer"] == 1.0
    assert summary["complete"]


async def test_the_same_service_as_second_scorer_is_noted(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    scorer = Double(speech.transcribe)
    place = await host(scorer)
    tables = {**TEXT_IN, "second_scorer": {"endpoints": [place]}}
    setting = await a_setting(speech, host, tmp_path, tables=tables, scorer=[place])
    await setting.drive(stages=["generate"])
    observer = Silent()
    await resume(setting.folder, TRANSCRIBE_AND_SCORE, observer)
    assert any("the same service" in note for note in observer.notes)
    assert len(scorer.asked) == len(CITIES)


async def test_differing_replicas_are_an_error_after_the_files_are_written(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    places = [await host(Double(speech.transcribe, name=name)) for name in ("some ASR", "other ASR")]
    tables = {**TEXT_IN, "second_scorer": {"endpoints": places}}
    setting = await a_setting(speech, host, tmp_path, tables=tables)
    with pytest.raises(ServiceError, match="the replicas of second scorer differ"):
        await setting.drive()
    assert outcomes(pl.read_parquet(setting.folder.results)) == {"answered": 12}
    assert setting.folder.report.is_file()
