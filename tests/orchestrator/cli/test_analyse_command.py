"""`analyse` on external result files: presets, several files, notes, and a table of 360,000 rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from click.testing import CliRunner, Result

from omnigap_orchestrator.cli.main import main

SAMPLES = Path(__file__).parents[1] / "presets" / "samples"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["analyse", *map(str, arguments)])


def test_presets_are_listed_with_their_sources() -> None:
    listed = call("--list-presets")
    assert listed.exit_code == 0
    for name in ("voicebench", "openaudiobench", "ultraeval-audio", "xmodbench", "omnibench", "vista-bench"):
        assert name in listed.output
    assert "https://github.com/MatthewCYM/VoiceBench" in listed.output


def test_two_files_of_a_benchmark_become_one_analysis(tmp_path: Path) -> None:
    folder, out = SAMPLES / "voicebench", tmp_path / "tables.json"
    files = (folder / "tiny-mmsu-test-audio.jsonl", folder / "tiny-mmsu-test-text.jsonl")
    done = call(*files, "--preset", "voicebench", "--out", out)
    assert done.exit_code == 0, done.output
    assert "hash of prompt" in done.stderr
    tables = json.loads(out.read_text())
    (gap,) = [
        r
        for r in tables["gaps"]
        if r["task"] is None and r["missing"] == "answered_pairs" and r["pooling"] == "item_weighted"
    ]
    assert (gap["condition"], gap["reference"], gap["n"]) == ("s2t", "t2t", 3)
    assert round(gap["estimate"], 6) == round(-2 / 3, 6)
    flagged = [row for row in tables["flags"] if row["flag"] == "unparsable"]
    assert [(row["condition"], row["cells"]) for row in flagged] == [("s2t", 1)]


def test_the_presets_reference_can_be_overridden() -> None:
    files = [
        SAMPLES / "xmodbench" / "tiny-omni" / f"temporal_count_{way}.json" for way in ("audio_text", "vision_text")
    ]
    done = call(*files, "--preset", "xmodbench", "--reference", "a2t", "--allow-missing", "--json")
    assert done.exit_code == 0, done.output
    assert {row["reference"] for row in json.loads(done.stdout)["gaps"]} == {"a2t"}


def test_tables_are_joined_by_item_id(tmp_path: Path) -> None:
    pl.DataFrame({"q": ["1", "2", "3"], "ok": [1, 0, 1]}).write_csv(tmp_path / "text.csv")
    pl.DataFrame({"q": ["3", "1"], "ok": [1, 1]}).write_csv(tmp_path / "audio.csv")
    named = ("--column", "item_id=q", "--column", "score=ok", "--condition", "t2t", "--condition", "s2t")
    done = call(tmp_path / "text.csv", tmp_path / "audio.csv", *named, "--json")
    assert done.exit_code == 0, done.output
    assert "note: 1 rows are missing" in done.stderr
    counts = {row["condition"]: (row["planned"], row["answered"]) for row in json.loads(done.stdout)["conditions"]}
    assert counts == {"t2t": (3, 3), "s2t": (3, 2)}


def test_relative_gaps_and_models_at_the_floor_have_a_line(tmp_path: Path) -> None:
    def rows(model: str, reference: int, condition: int) -> list[str]:
        ends = (("t2t", reference), ("s2t", condition))
        return [f"{model},q{i},{c},{int(i < right)},0.25" for c, right in ends for i in range(100)]

    table = tmp_path / "theirs.csv"
    lines = ["model,item_id,condition,score,chance", *rows("strong", 85, 55), *rows("guesses", 26, 24)]
    table.write_text("\n".join(lines))
    printed = " ".join(call(table).stdout.split())
    assert "relative to t2t above chance (25.0 %): s2t -50.0 % (" in printed
    assert "No gap can be measured: at most 26.0 % is right in any condition, and guessing gives 25.0 %." in printed
    assert printed.count("relative to t2t") == 1, "26 % is not shown to be above chance"


def test_contradicting_flags_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("item_id,condition,score\n1,t2t,1\n")
    assert "--list-presets" in call().output
    both = call(table, "--preset", "voicebench", "--column", "item_id=q")
    assert both.exit_code == 1 and "--preset" in both.output
    assert "did you mean 'xmodbench'" in call(table, "--preset", "xmodbnch").output
    three = call(table, "--condition", "a", "--condition", "b")
    assert three.exit_code == 1 and "--condition: 2 values for 1 tables" in three.output


def test_a_table_of_360000_rows_is_analysed(tmp_path: Path) -> None:
    """How long this takes is documented in docs/external-results.md."""
    items, rng = 60_000, np.random.default_rng(7)
    know = rng.random(items)
    frames = [
        pl.DataFrame(
            {
                "item_id": np.arange(items),
                "condition": [name] * items,
                "score": (0.6 * know + 0.4 * rng.random(items) < accuracy).astype(np.int8),
            }
        )
        for name, accuracy in zip(
            ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s"), (0.7, 0.62, 0.6, 0.58, 0.5, 0.48), strict=True
        )
    ]
    pl.concat(frames).write_parquet(tmp_path / "big.parquet")
    done = call(tmp_path / "big.parquet", "--json")
    assert done.exit_code == 0, done.output
    gaps = [
        r
        for r in json.loads(done.stdout)["gaps"]
        if r["task"] is None and r["missing"] == "answered_pairs" and r["pooling"] == "item_weighted"
    ]
    assert {row["n"] for row in gaps} == {items}
    assert all(row["high"] < 0 for row in gaps)


def test_a_folder_of_result_files_is_not_taken_for_a_run() -> None:
    refused = call(SAMPLES / "voicebench", "--preset", "voicebench")
    assert refused.exit_code == 1
    assert "voicebench is a folder" in refused.stderr
