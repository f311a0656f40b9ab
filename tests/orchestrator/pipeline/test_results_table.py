"""The results table of a run against served models: one row per planned cell."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.results import RESULTS_SCHEMA
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item, outcomes, served_trio, stored_table
from tests.helpers.served_doubles import Double, Serve, say


async def test_every_planned_cell_is_one_row_of_the_schema(tmp_path: Path, host: Serve) -> None:
    setting, model, scorer, tts = await served_trio(host, tmp_path)
    table = await setting.execute()
    assert table.schema == RESULTS_SCHEMA
    cells = table.select("model", "item_id", "condition", "replicate")
    assert cells.is_unique().all()
    assert cells.height == 3 * 6
    assert outcomes(table) == {"answered": 18}
    assert (table["score"] == 1).all()
    assert (len(model.asked), len(scorer.asked), len(tts.asked)) == (18, 9, 3)
    speech = table.filter(pl.col("output") == "speech")
    assert (speech["transcript"] == "Paris").all()
    assert (speech["audio_seconds"] == 0.2).all()
    assert speech["asr_digest"].unique().len() == 1
    text = table.filter(pl.col("output") == "text")
    assert text["transcript"].null_count() == text["output_media"].null_count() == text.height


async def test_answers_agree_after_normalisation(tmp_path: Path, host: Serve) -> None:
    def three(turn: Turn) -> None:
        say(turn, "3")

    model, scorer, tts = Double(three), Double(lambda turn: say(turn, "Three.")), Double()
    services = {"models": {"omni": [await host(model)]}, "scorer": [await host(scorer)], "tts": [await host(tts)]}
    dots = [item(name, answers=["3"], answer_type="number") for name in ("dots", "stars")]
    setting = Setting(tmp_path, items=dots, **services)  # type: ignore[arg-type]
    table = await setting.execute()
    assert set(table["answer_used"]) == {"3", "Three."}
    assert set(table["normalised_answer"]) == {"3"}
    assert (
        analyse(table).frames["consistency"].row(by_predicate=pl.col("measure") == "RER", named=True)["estimate"] == 1.0
    )


async def test_row_values_are_in_the_order_of_the_schema(tmp_path: Path, host: Serve) -> None:
    setting, *_ = await served_trio(host, tmp_path, items=[item("peru")])
    await setting.execute(stages=["generate"])
    with stored_table(setting.folder) as table:
        row = table._row(next(iter(table._cells)))
    assert tuple(row) == tuple(RESULTS_SCHEMA)
