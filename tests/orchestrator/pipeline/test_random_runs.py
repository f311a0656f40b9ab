"""Runs with random weights: what the stored files say, and what happens when real weights take their place."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import polars as pl
import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.results import RESULTS_SCHEMA, random_weights_of, read_own_results
from omnigap_services.adapter import Part
from tests.helpers.running import Setting, item, orchestrate, served_trio
from tests.helpers.served_doubles import Double, Serve, say

JUDGED = item("open", answers=[], answer_type="open", metric="judge")


def paris(**card: object) -> Double:
    return Double(lambda turn: say(turn, "Paris"), **card)


async def test_results_manifest_and_summary_say_which_weights_were_random(tmp_path: Path, host: Serve) -> None:
    """Of three models, one is random and one has a random part."""
    parts = (Part("llm", "small", "d", random_weights=True),)
    models = {"tiny": paris(random_weights=True), "composed": paris(parts=parts), "real": paris()}
    places = {name: [await host(model)] for name, model in models.items()}
    setting = Setting(tmp_path, models=places, scorer=[await host(paris())], tts=[await host(Double())])
    summary = await setting.drive()
    table = read_own_results(setting.folder.results)
    by_model = dict(table.select("model", "random_weights").unique().iter_rows())
    assert by_model == {"tiny": "model", "composed": "model", "real": None}
    assert random_weights_of(table) == {"composed": ("model",), "tiny": ("model",)}
    manifest = tomllib.loads(setting.folder.manifest.read_text())
    assert {n: m["random_weights"] for n, m in manifest["models"].items()} == {n: n != "real" for n in models}
    assert not manifest["services"]["scorer"]["random_weights"]
    stored = json.loads(setting.folder.summary.read_text())
    assert stored["random_weights"] == {"composed": ["model"], "tiny": ["model"]} and summary["warnings"]
    (loud,) = [each for each in stored["warnings"] if each["key"] == "random-weights"]
    assert loud is stored["warnings"][0]
    assert "2 of 3 models" in loud["title"] and "composed (its llm small)" in loud["text"]
    assert sum("random weights" in note for note in setting.notes) == 1


@pytest.mark.parametrize(
    ("role", "cells"),
    [
        ("tts", {"s2t", "s2s"}),
        ("scorer", {"t2s", "s2s", "i2s"}),
    ],
)
async def test_a_random_instrument_marks_the_cells_that_depend_on_it(
    tmp_path: Path, host: Serve, role: str, cells: set[str]
) -> None:
    setting, _, _, _ = await served_trio(host, tmp_path)
    random = Setting(
        tmp_path / "random",
        models=setting.models,
        scorer=[await host(paris(random_weights=True))] if role == "scorer" else setting.scorer,
        tts=[await host(Double(random_weights=True))] if role == "tts" else setting.tts,
    )
    table = await random.execute()
    marked = table.filter(pl.col("random_weights").is_not_null())
    assert set(marked["condition"]) == cells and set(marked["random_weights"]) == {role}
    assert random_weights_of(await setting.execute()) == {}


async def test_real_weights_in_the_place_of_random_ones_are_asked_anew(tmp_path: Path, host: Serve) -> None:
    setting, _, _, _ = await served_trio(host, tmp_path)
    tiny = paris(random_weights=True, settings={"weights": "random (--tiny)"})
    real = paris()
    before = Setting(tmp_path, {"omni": [await host(tiny)]}, setting.scorer, setting.tts)
    summary = await before.drive()
    assert summary["random_weights"] == {"omni": ["model"]}
    asked = len(tiny.asked)
    after = Setting(tmp_path, {"omni": [await host(real)]}, setting.scorer, setting.tts)
    summary = await after.drive()
    assert len(real.asked) == asked == 18 and len(tiny.asked) == asked
    assert any("18 of 18 cells are generated again" in note for note in after.notes)
    assert summary["random_weights"] == {}
    assert "random-weights" not in {each["key"] for each in summary["warnings"]}
    assert "random weights" not in after.folder.report.read_text()
    # And back: nothing is asked, and the files say it again.
    assert (await before.drive())["random_weights"] == {"omni": ["model"]}
    assert len(tiny.asked) == asked


async def test_a_random_judge_marks_what_it_rated(tmp_path: Path, host: Serve) -> None:
    setting, _, _, _ = await served_trio(host, tmp_path)
    judge = await host(Double(lambda turn: say(turn, "5"), random_weights=True))
    tables = {"judge": {"endpoints": [judge]}}
    judged = Setting(
        tmp_path / "judged", setting.models, setting.scorer, setting.tts, items=[JUDGED, item("fr")], tables=tables
    )
    table = await judged.execute(stages=["generate", "transcribe", "judge", "score"])
    assert dict(table.select("item_id", "random_weights").unique().iter_rows()) == {"open": "judge", "fr": None}


def test_cards_and_results_from_before_the_field_are_not_random(tmp_path: Path) -> None:
    old = pb.DescribeResponse(name="omni", digest="d", parts=[pb.ServicePart(role="llm", name="x", digest="e")])
    assert not pb.DescribeResponse.FromString(old.SerializeToString()).random_weights
    table = pl.DataFrame(schema=RESULTS_SCHEMA)
    path = tmp_path / "results.parquet"
    table.drop("random_weights").write_parquet(path)
    assert read_own_results(path).schema["random_weights"] == pl.String
    assert random_weights_of(pl.DataFrame({"model": ["omni"], "score": [1.0]})) == {}


@pytest.mark.parametrize("values", [[True], [0.5], ["yes"], [["model"]], [None]])
def test_a_column_of_the_same_name_in_a_table_of_another_tool_marks_nothing(values: list[object]) -> None:
    assert random_weights_of(pl.DataFrame({"model": ["omni"], "random_weights": values})) == {}


async def test_latencies_on_an_idle_service_are_marked_too(tmp_path: Path, host: Serve) -> None:
    served, _, _, _ = await served_trio(host, tmp_path)
    setting = Setting(tmp_path, {"omni": [await host(paris(random_weights=True))]}, served.scorer, served.tts)
    await setting.drive()
    where = ("--run-dir", setting.folder.root, "--items", "1", "--conditions", "t2t")
    ended = await orchestrate("bench", "latency", *where, folder=tmp_path)
    assert "omni (random weights): one question at a time" in ended.out, ended.err
