"""A second scorer hears the same answers: its scores stand beside the first's, and the run is whole without it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest
from parrots import Parrots
from running import Setting, Silent, outcomes
from served_doubles import Double, Serve
from test_calibrate import CITIES, TEXT_IN, a_setting

from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.pool import ServiceError
from omnigap_orchestrator.preflight import Status
from omnigap_orchestrator.preflight.doctor import diagnose
from omnigap_orchestrator.run import Changes, resume

HEARING = RunScope.parse((), (), ("transcribe", "score"))


async def with_second(parrots: Parrots, host: Serve, root: Path, other: Parrots) -> tuple[Setting, Double]:
    """A run whose second ears mishear something else than the first."""
    other.said = parrots.said
    ears = Double(other.hear, name="other ears")
    tables = {**TEXT_IN, "second_scorer": {"endpoints": [await host(ears)]}}
    return await a_setting(parrots, host, root, tables=tables), ears


async def test_both_scorers_hear_the_same_answers_and_stand_side_by_side(tmp_path: Path, host: Serve) -> None:
    first, other = Parrots(misheard={"Paris": "Harris", "Oslo": "also"}), Parrots(misheard={"Madrid": "my grid"})
    setting, ears = await with_second(first, host, tmp_path, other)
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
    assert len(ears.asked) == 6
    told = tomllib.loads(setting.folder.manifest.read_text(encoding="utf-8"))
    assert told["services"]["second_scorer"]["digest"] == spoken["second_asr_digest"][0]
    written = setting.folder.report.read_text(encoding="utf-8")
    digest = told["services"]["second_scorer"]["digest"][:12]
    assert f"A second ASR model (other ears; digest {digest}) transcribed 6 spoken answers" in written
    await setting.drive()
    assert len(ears.asked) == 6


async def test_the_run_is_whole_while_the_second_scorer_is_away(tmp_path: Path, host: Serve) -> None:
    tables = {**TEXT_IN, "second_scorer": {"endpoints": ["127.0.0.1:9"]}}
    setting = await a_setting(Parrots(), host, tmp_path, tables=tables)
    summary = await setting.drive()
    assert summary["complete"]
    found = {finding.check: finding.status for finding in await diagnose(setting.config(), setting.folder.root)}
    assert next(status for check, status in found.items() if "second scorer" in check) is Status.WARNING
    assert outcomes(pl.read_parquet(setting.folder.results)) == {"answered": 12}
    assert summary["calibrated"] == []


async def test_transcribe_takes_a_second_scorer_for_good_and_asks_no_model(tmp_path: Path, host: Serve) -> None:
    parrots = Parrots()
    setting = await a_setting(parrots, host, tmp_path)
    await setting.drive()
    other = Parrots(misheard={"Madrid": "my grid"}, said=parrots.said)
    place = await host(Double(other.hear, name="other ears"))
    summary = (await resume(setting.folder, HEARING, Silent(), Changes(second_scorer=(place,)))).to_json()
    assert summary["calibrated"][0]["second_scorer"] == pytest.approx(5 / 6)
    again = (await resume(setting.folder, HEARING, Silent())).to_json()
    assert again["calibrated"] == summary["calibrated"]


async def test_what_the_second_scorer_cannot_hear_is_missing_from_the_comparison_alone(
    tmp_path: Path, host: Serve
) -> None:
    setting, _ = await with_second(Parrots(), host, tmp_path, Parrots(refused=frozenset({"Oslo"})))
    summary = await setting.drive()
    (row,) = summary["calibrated"]
    assert (row["n"], row["second_n"]) == (6, 5)
    assert row["second_scorer"] == 1.0
    assert summary["complete"]


async def test_the_same_service_as_second_scorer_is_said_to_tell_nothing(tmp_path: Path, host: Serve) -> None:
    parrots = Parrots()
    ears = Double(parrots.hear)
    place = await host(ears)
    tables = {**TEXT_IN, "second_scorer": {"endpoints": [place]}}
    setting = await a_setting(parrots, host, tmp_path, tables=tables, scorer=[place])
    await setting.drive(stages=["generate"])
    observer = Silent()
    await resume(setting.folder, HEARING, observer)
    assert any("can tell nothing new" in note for note in observer.notes)
    assert len(ears.asked) == len(CITIES)


async def test_second_scorers_that_differ_are_an_error_and_hold_no_files_back(tmp_path: Path, host: Serve) -> None:
    parrots = Parrots()
    places = [await host(Double(parrots.hear, name=name)) for name in ("some ears", "other ears")]
    tables = {**TEXT_IN, "second_scorer": {"endpoints": places}}
    setting = await a_setting(parrots, host, tmp_path, tables=tables)
    with pytest.raises(ServiceError, match="the replicas of second scorer differ"):
        await setting.drive()
    assert outcomes(pl.read_parquet(setting.folder.results)) == {"answered": 12}
    assert setting.folder.report.is_file()
