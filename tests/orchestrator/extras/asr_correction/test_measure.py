"""Tests of `calibrate` over real sockets: clips, resuming, the report, and refusal of an invalid calibration."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.extras.asr_correction.clips import CALIBRATION_SCHEMA
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError
from omnigap_orchestrator.extras.asr_correction.measure import calibrate
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.instruments import InstrumentError
from omnigap_orchestrator.pipeline.stored_files import remember
from omnigap_orchestrator.preflight import PreflightError
from omnigap_orchestrator.run import report
from tests.helpers.running import Orchestrator, Row, Setting, Silent, item, orchestrate
from tests.helpers.served_doubles import Double, Serve, ServeWire, Wire, plain
from tests.orchestrator.extras.asr_correction.fake_speech import CITIES, TEXT_IN, FakeSpeech, a_setting


async def measured(setting: Setting, **how: object) -> tuple[pl.DataFrame, Silent]:
    observer = Silent()
    clips = await calibrate(setting.config(), setting.load_items(), setting.folder, observer, stored=None, **how)  # type: ignore[arg-type]
    return clips, observer


async def test_mistranscribed_gold_answers_lower_q1_and_not_q0(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech(mistranscribed={"Paris": "Harris", "Oslo": "also"})
    clips, _ = await measured(await a_setting(speech, host, tmp_path))
    assert clips.schema == CALIBRATION_SCHEMA
    assert set(clips["outcome"]) == {"answered"}
    gold = clips.filter(clip_kind="gold")
    assert dict(gold.select("truth", "scored_right").iter_rows()) == {c: c not in ("Paris", "Oslo") for c in CITIES}
    assert not clips.filter(~pl.col("truly_right"))["scored_right"].any()
    assert gold.filter(truth="Paris")["transcript"].item() == "Harris"
    assert pl.read_parquet(tmp_path / "runs" / "test" / "calibration.parquet").equals(clips)


async def test_every_text_is_synthesised_in_every_voice_and_rate(tmp_path: Path, host: Serve) -> None:
    speech = {"carriers": {"speech": {"voices": ["ann", "bob"], "words_per_minute": [120, 240]}}}
    clips, _ = await measured(await a_setting(FakeSpeech(), host, tmp_path, tables={**TEXT_IN, **speech}))
    variants = clips.filter(clip_kind="gold", truth="Oslo").select("voice", "words_per_minute").unique().height
    assert variants == 4
    assert clips["media"].n_unique() == 4 * clips["spoken"].n_unique()


async def test_a_repeated_call_requests_nothing_and_a_new_template_only_new_clips(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    tts, scorer = Double(speech.synthesise), Double(speech.transcribe)
    setting = await a_setting(speech, host, tmp_path, tts=[await host(tts)], scorer=[await host(scorer)])
    first, _ = await measured(setting)
    asked = len(tts.asked), len(scorer.asked)
    assert asked == (len(CITIES), len(CITIES))
    again, _ = await measured(setting)
    assert again.equals(first)
    assert (len(tts.asked), len(scorer.asked)) == asked
    await measured(setting, template="It is {answer}.")
    assert (len(tts.asked), len(scorer.asked)) == (2 * asked[0], 2 * asked[1])


async def test_clips_stay_pending_without_a_scorer(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    setting = await a_setting(speech, host, tmp_path, scorer=["127.0.0.1:9"])
    clips, observer = await measured(setting)
    assert set(clips["outcome"]) == {"pending"}
    assert clips["media"].null_count() == 0
    assert any("scorer" in note and "127.0.0.1:9" in note for note in observer.notes)
    setting.scorer = [await host(Double(speech.transcribe))]
    clips, _ = await measured(setting)
    assert set(clips["outcome"]) == {"answered"}


async def test_a_scorer_without_the_language_is_refused_before_any_request(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    tts, scorer = Double(speech.synthesise), Double(speech.transcribe, languages=("ko",))
    setting = await a_setting(speech, host, tmp_path, tts=[await host(tts)], scorer=[await host(scorer)])
    with pytest.raises(PreflightError, match=r"17 of 17.*\[scorer\] endpoints"):
        await measured(setting)
    assert tts.asked == scorer.asked == []


async def test_a_failed_transcription_has_no_verdict(tmp_path: Path, host: Serve) -> None:
    clips, _ = await measured(await a_setting(FakeSpeech(refused=frozenset({"Oslo"})), host, tmp_path))
    failed = clips.filter(outcome="failed")
    assert set(failed["truth"]) == {"Oslo"}
    assert set(failed["error_reason"]) == {"BAD_MEDIA"}
    assert failed["scored_right"].null_count() == failed.height
    assert clips.filter(outcome="answered", clip_kind="gold").height == len(CITIES) - 1


async def test_the_report_has_raw_and_corrected_scores(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech(mistranscribed={"Paris": "Harris", "Oslo": "also"})
    setting = await a_setting(speech, host, tmp_path)
    before = await setting.drive()
    assert before["calibrated"] == before["calibration"] == []
    await measured(setting)
    summary = report(setting.folder, Silent()).to_json()
    (row,) = summary["calibrated"]
    assert row["condition"] == "t2s"
    assert row["raw"] == pytest.approx(4 / 6)
    assert row["corrected"] == pytest.approx(1.0)
    assert row["raw_gap"] == pytest.approx(-2 / 6)
    assert row["corrected_gap"] == pytest.approx(0.0)
    assert row["gap_low"] < 0 < row["gap_high"]
    page = setting.folder.report.read_text(encoding="utf-8")
    assert "Spoken answers, corrected for ASR errors" in page
    assert "optimistic" in page
    assert "calibrated on 6 clips of gold answers" in page


async def test_a_calibration_of_another_scorer_is_refused(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech(mistranscribed={"Paris": "Harris"})
    setting = await a_setting(speech, host, tmp_path)
    await setting.drive()
    await measured(setting)
    setting.scorer = [await host(Double(speech.transcribe, name="other ASR"))]
    with pytest.raises(CalibrationError, match=r"not the one that transcribed this run's answers.*--accept-scorer"):
        await measured(setting)
    setting.accepts = frozenset({Role.SCORER})
    summary = await setting.drive(stages=["transcribe", "score"])
    (row,) = summary["calibrated"]
    assert row["corrected"] is None
    assert "another ASR scorer" in row["reason"]
    assert summary["calibration"] == []
    await measured(setting)
    assert report(setting.folder, Silent()).to_json()["calibrated"][0]["corrected"] is not None


async def test_a_calibration_is_not_replaced_by_one_in_another_voice(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    setting = await a_setting(speech, host, tmp_path)
    first, _ = await measured(setting)
    stored = setting.folder.calibration.read_bytes()
    setting.tts = [await host(Double(speech.synthesise, name="other voice"))]
    with pytest.raises(InstrumentError, match=r"other voice.*clips of the stored calibration.*\n.*--accept-voice"):
        await measured(setting)
    assert setting.folder.calibration.read_bytes() == stored
    again, _ = await measured(setting, accepts=frozenset({Role.TTS}))
    assert set(again["tts_digest"]).isdisjoint(first["tts_digest"])


async def test_without_answers_another_scorer_may_be_accepted(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech()
    setting = await a_setting(speech, host, tmp_path)
    first, _ = await measured(setting)
    setting.scorer = [await host(Double(speech.transcribe, name="other ASR"))]
    with pytest.raises(InstrumentError, match="--accept-scorer"):
        await measured(setting)
    again, _ = await measured(setting, accepts=frozenset({Role.SCORER}))
    assert set(again["asr_digest"]).isdisjoint(first["asr_digest"])
    assert (await measured(setting))[0].equals(again)


@pytest.mark.parametrize("lost", [True, False])
async def test_a_calibration_without_clips_does_not_hold_a_scorer(tmp_path: Path, host: Serve, lost: bool) -> None:
    speech = FakeSpeech()
    scorer = Double(speech.transcribe)
    setting = await a_setting(speech, host, tmp_path, scorer=[await host(scorer)], tts=["127.0.0.1:9"])
    clips, _ = await measured(setting)
    assert set(clips["outcome"]) == {"pending"}
    if lost:
        setting.folder.calibration.unlink()
    setting.tts = [await host(Double(speech.synthesise))]
    setting.scorer = [await host(Double(speech.transcribe, name="other ASR"))]
    clips, _ = await measured(setting)
    assert set(clips["outcome"]) == {"answered"}


async def test_a_damaged_calibration_is_made_again(tmp_path: Path, host: Serve) -> None:
    setting = await a_setting(FakeSpeech(), host, tmp_path)
    first, _ = await measured(setting)
    setting.folder.calibration.write_bytes(b"damaged")
    assert (await measured(setting))[0].equals(first)


async def test_a_run_without_spoken_answers_does_not_hold_the_scorer_of_its_calibration(
    tmp_path: Path, host: Serve
) -> None:
    speech = FakeSpeech()
    setting = await a_setting(speech, host, tmp_path, tables={"run": {"conditions": ["t2t"]}})
    await setting.drive()
    await measured(setting)
    setting.scorer = [await host(Double(speech.transcribe, name="other ASR"))]
    with pytest.raises(InstrumentError, match=r"17 clips of the stored calibration .* would be made again"):
        await measured(setting)
    await measured(setting, accepts=frozenset({Role.SCORER}))


def rewrite(folder: RunFolder, clips: pl.DataFrame) -> None:
    """Replaces the calibration, as another version of omnigap would write it."""
    clips.write_parquet(folder.calibration)
    journal = folder.open_journal()
    remember(journal, folder.calibration)
    journal.close()


async def test_a_calibration_with_other_scoring_rules_is_refused(tmp_path: Path, host: Serve) -> None:
    setting = await a_setting(FakeSpeech(), host, tmp_path)
    await setting.drive()
    clips, _ = await measured(setting)
    rewrite(setting.folder, clips.with_columns(scoring_version=pl.lit("older")))
    (row,) = report(setting.folder, Silent()).to_json()["calibrated"]
    assert "other rules" in row["reason"]
    rewrite(setting.folder, clips.with_columns(tts_digest=pl.lit("older")))
    summary = report(setting.folder, Silent()).to_json()
    assert summary["calibrated"][0]["reason"] is None
    assert "TTS service has changed" in summary["asr_correction_note"]


async def test_a_calibration_with_another_metric_or_language_is_refused(tmp_path: Path, host: Serve) -> None:
    setting = await a_setting(FakeSpeech(), host, tmp_path)
    await setting.drive()
    await measured(setting)
    assert report(setting.folder, Silent()).to_json()["calibrated"][0]["reason"] is None
    setting.tables = {**TEXT_IN, "scoring": {"tasks": {"capitals": "exact"}}}
    (row,) = (await setting.drive())["calibrated"]
    assert "scored by containment in the calibration and by exact in this run" in row["reason"]
    setting.tables = {**TEXT_IN, "scorer": {"language": "fr"}}
    (row,) = (await setting.drive())["calibrated"]
    assert "another ASR scorer" in row["reason"]
    await measured(setting)
    assert report(setting.folder, Silent()).to_json()["calibrated"][0]["reason"] is None


async def test_exit_code_is_3_with_pending_clips_and_0_when_complete(tmp_path: Path, host: Serve) -> None:
    speech = FakeSpeech(mistranscribed={"Paris": "Harris"})
    setting = await a_setting(speech, host, tmp_path, scorer=["127.0.0.1:9"])
    ended = await orchestrate("calibrate", "--config", setting.write(), folder=tmp_path)
    assert ended.code == 3, ended.err
    assert "pending of" in ended.out
    setting.scorer = [await host(Double(speech.transcribe))]
    ended = await orchestrate("calibrate", "--config", setting.write(), "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    printed = json.loads(ended.out)
    assert printed["complete"]
    rates: dict[str, Row] = {row["clip_kind"]: row for row in printed["rates"]}
    assert rates["gold"]["estimate"] == pytest.approx(5 / 6)
    assert rates["all_wrong"]["estimate"] == 1.0
    ended = await orchestrate("run", "--config", setting.write(), folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "corrected for ASR errors" in ended.out
    ended = await orchestrate("calibrate", "--config", setting.write(), "--template", "So?", folder=tmp_path)
    assert ended.code == 1
    assert "--template 'So?' has no {answer}" in ended.err


async def test_the_command_uses_configuration_and_items_of_the_run(tmp_path: Path, host: Serve) -> None:
    """No --config: only the TTS service and the scorer of the stored configuration are reachable."""
    setting = await a_setting(FakeSpeech(), host, tmp_path)
    await setting.drive()
    folder = setting.folder

    async def calibrated(*flags: str) -> list[str]:
        ended = await orchestrate("calibrate", "--run-dir", folder.root, *flags, folder=tmp_path)
        assert ended.code == 0, ended.err
        assert "the configuration" in ended.err or "its configuration" in ended.err
        return sorted(pl.read_parquet(folder.calibration).filter(clip_kind="gold")["item_id"])

    every = [f"q{number}" for number in range(len(CITIES))]
    assert await calibrated() == every
    assert await calibrated("--limit", "4") == every[:4]
    assert await calibrated("--task", "capitals") == every
    other = tmp_path / "other.jsonl"
    rows = [item(f"r{number}", question=f"What is city {number}?", answers=[CITIES[number]]) for number in range(3)]
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert await calibrated("--items", str(other)) == ["r0", "r1", "r2"]


@pytest.mark.parametrize("with_a_run", [True, False])
async def test_a_preset_without_item_files_is_refused(tmp_path: Path, host: Serve, with_a_run: bool) -> None:
    setting = await a_setting(FakeSpeech(), host, tmp_path)
    if with_a_run:
        await setting.drive()
    ended = await orchestrate("calibrate", "--run-dir", setting.folder.root, "--preset", "voicebench", folder=tmp_path)
    assert ended.code == 1
    assert "--preset" in ended.err


async def test_an_unknown_task_is_refused_with_the_nearest_name(tmp_path: Path, host: Serve) -> None:
    setting = await a_setting(FakeSpeech(), host, tmp_path)
    await setting.drive()
    ended = await orchestrate("calibrate", "--run-dir", setting.folder.root, "--task", "capital", folder=tmp_path)
    assert ended.code == 1
    assert "did you mean 'capitals'" in ended.err


async def test_ctrl_c_keeps_finished_clips_and_the_command_continues(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    scorer = Wire(plain, delay_s=0.05, max_concurrent=1)
    setting = await a_setting(FakeSpeech(), host, tmp_path, scorer=[await host_wire(scorer)])
    command = await Orchestrator.start("calibrate", "--config", setting.write(), folder=tmp_path)
    await scorer.until_asked(3)
    command.process.send_signal(signal.SIGINT)
    ended = await command.end()
    assert ended.code == 130, ended.err
    assert "interrupted; finished clips are kept" in ended.err
    assert "Traceback" not in ended.err
    asked = len(scorer.asked)
    again = await orchestrate("calibrate", "--config", setting.write(), folder=tmp_path)
    assert again.code == 0, again.err
    # At least two were transcribed before the third request, since the scorer takes one at a time.
    assert len(scorer.asked) <= asked + len(CITIES) - 2
    assert len({request.request_id for request in scorer.asked}) == len(CITIES)
