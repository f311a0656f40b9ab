"""`analyse` on external result files: presets, several files, notes, and a table of 360,000 rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from click.testing import CliRunner, Result

from omnigap_orchestrator.cli.main import main
from tests.orchestrator.extras.importers.xmodbench_folder import write_model

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


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scores"
    folder.mkdir()
    for condition, wrong in (("t2t", 0), ("s2t", 12)):
        rows = [{"item_id": f"q{n}", "score": int(n >= wrong), "answer_used": str(n % 7)} for n in range(40)]
        pl.DataFrame(rows).write_csv(folder / f"sums_{condition}.csv")
    return folder


def test_folder_is_analysed_in_one_command_with_its_report(tmp_path: Path) -> None:
    done = call(_folder(tmp_path), "--report", tmp_path / "out" / "page.html")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "-30.0" in words
    assert "same answer in all conditions (RER)" in words and "routing on held-out items" in words
    page = (tmp_path / "out" / "page.html").read_text()
    assert "results of <b>scores</b>" in page
    assert "made with another tool" in page
    assert "in the run folder" not in page and "same command" not in page


def test_report_of_a_folder_goes_into_a_folder(tmp_path: Path) -> None:
    done = call(_folder(tmp_path), "--report", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "report.html").is_file()
    (tmp_path / "file").write_text("")
    refused = call(tmp_path / "scores", "--report", tmp_path / "file" / "page.html")
    assert refused.exit_code == 1 and "--report" in refused.stderr


def test_report_of_other_conditions_has_their_matrix_and_answers(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "results" / "tiny-omni", items=60)
    done = call(folder, "--preset", "xmodbench", "--report", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text()
    for condition in ("a2t", "a2v", "t2a", "t2v", "v2a", "v2t"):
        assert f'<td data-condition="{condition}"' in page
    assert '"conditions":["v2t","a2t","a2v","t2a","t2v","v2a"]' in page
    assert "spoken answer" not in page.split('id="glossary"')[0].split('class="matrix"')[1]


def test_rows_tasks_and_common_items_are_selected(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [
        f"{task}{n},{condition},{task},{kind},{int(kind == 'a')}"
        for task in ("x", "y")
        for condition, count in (("t2t", 30), ("s2t", 20))
        for n in range(count)
        for kind in ("a", "b")
    ]
    table.write_text("\n".join(["item_id,condition,task,kind,score", *rows]))
    done = call(table, "--where", "kind=a", "--task", "x", "--common-items", "--json")
    assert done.exit_code == 0, done.output
    counts = {row["condition"]: (row["planned"], row["answered"]) for row in json.loads(done.stdout)["conditions"]}
    assert counts == {"t2t": (20, 20), "s2t": (20, 20)}
    assert "--common-items: model: 20 of 30 items" in done.stderr
    malformed = call(table, "--where", "kind")
    assert malformed.exit_code == 2 and "COLUMN=VALUE" in malformed.stderr


def test_missing_answers_of_a_file_are_no_failed_calls(tmp_path: Path) -> None:
    for condition, count in (("t2t", 100), ("s2t", 50)):
        pl.DataFrame({"item_id": [str(n) for n in range(count)], "score": 1.0}).write_csv(
            tmp_path / f"sums_{condition}.csv"
        )
    done = call(tmp_path, "--json")
    (row,) = [row for row in json.loads(done.stdout)["conditions"] if row["condition"] == "s2t"]
    assert (row["planned"], row["answered"], row["failed"], row["pending"]) == (100, 50, 0, 50)
    assert "failed" not in done.stderr


def test_model_without_the_reference_condition_is_named(tmp_path: Path) -> None:
    write_model(tmp_path / "whole")
    write_model(tmp_path / "part")
    for path in (tmp_path / "part").glob("*_vision_text.json"):
        path.unlink()
    done = call(tmp_path, "--preset", "xmodbench")
    assert done.exit_code == 0, done.output
    assert "no gaps of part: no rows in v2t" in done.stderr
