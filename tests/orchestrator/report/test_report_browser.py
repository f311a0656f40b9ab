"""The JSON document of the item browser."""

from __future__ import annotations

import json

import polars as pl

from omnigap_orchestrator.report import browser
from omnigap_orchestrator.report.browser import browser_data, chosen_cells, media_in_order, sample_entries, script_json
from omnigap_orchestrator.report.media import collect_media
from tests.orchestrator.report.fake_run import FakeRun


def document(run: FakeRun, results: pl.DataFrame | None = None) -> dict[str, dict[str, list[object]]]:
    table = run.results if results is None else results
    sample = sample_entries(table, 2000)
    cells = chosen_cells(table, sample.entries)
    media = collect_media(media_in_order(cells), run.folder, run.media_path, 0)
    return json.loads(browser_data(cells, sample.entries, run.catalogue, media).document)  # type: ignore[no-any-return]


def test_cells_are_at_the_index_of_their_entry_and_condition(run: FakeRun) -> None:
    data = document(run)
    for entry, item in enumerate(data["entries"]["item"]):
        mine = run.results.filter(pl.col("item_id") == data["items"]["id"][item])  # type: ignore[call-overload]
        for place, condition in enumerate(data["conditions"]):
            row = mine.filter(pl.col("condition") == condition).row(0, named=True)
            at = 6 * entry + place
            assert data["cells"]["score"][at] == row["score"]
            assert data["strings"][data["cells"]["own_text"][at]] == row["own_text"]  # type: ignore[index]


def test_unplanned_cells_are_empty(run: FakeRun) -> None:
    data = document(run, run.results.filter(pl.col("condition") != "i2s"))
    assert data["cells"]["outcome"][5::6] == [-1] * 42
    assert data["cells"]["score"][5::6] == [None] * 42


def test_document_cannot_close_its_script_element() -> None:
    text = script_json({"a": "</script><!-- & \u2028 \u2029"})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {"a": "</script><!-- & \u2028 \u2029"}


def test_nan_and_infinity_become_null(run: FakeRun) -> None:
    data = document(
        run, run.results.with_columns(asr_avg_logprob=pl.lit(float("-inf")), latency_s=pl.lit(float("nan")))
    )
    assert set(data["cells"]["asr_avg_logprob"]) == {None}
    assert set(data["cells"]["latency_s"]) == {None}


def test_long_answers_are_truncated_to_fit_the_page(run: FakeRun, monkeypatch: object) -> None:
    long = run.results.with_columns(own_text=pl.col("item_id") + pl.col("condition") + pl.lit("x" * 5000))
    monkeypatch.setattr(browser, "TEXT_BUDGET", 200_000)  # type: ignore[attr-defined]
    data = document(run, long)
    assert max(len(str(s)) for s in data["strings"]) <= 501
    assert any(str(s).endswith("\u2026") for s in data["strings"])
