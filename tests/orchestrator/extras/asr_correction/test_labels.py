"""Tests of reading human labels by clip and by cell."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_orchestrator.extras.asr_correction.labels import (
    LabelsError,
    clip_ids,
    from_spreadsheet,
    read_labels,
    spreadsheet_safe,
)
from omnigap_orchestrator.extras.asr_correction.sheet import draw_clips, sheet_csv
from tests.orchestrator.extras.asr_correction.spoken_answers import answers


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_by_clip_are_matched_to_answers(tmp_path: Path) -> None:
    sample = draw_clips(answers(models=("a",)), 8, seed=1)
    words = ["right", "wrong", "unsure", "", "1", "FALSE", "right", "wrong"]
    columns = ["clip", "stratum", "stratum_size", "inclusion_probability"]
    path = tmp_path / "labels.csv"
    sample.select(columns).with_columns(label=pl.Series(words)).write_csv(path)
    labels = read_labels(path, answers(models=("a",)))
    assert labels["label"].to_list() == [1, 0, None, 1, 0, 1, 0]
    kept = sample.filter(pl.Series(words) != "")
    assert labels["item_id"].to_list() == kept["item_id"].to_list()
    assert labels["inclusion_probability"].to_list() == kept["inclusion_probability"].to_list()


def test_labels_by_cell_are_averaged_over_annotators(tmp_path: Path) -> None:
    path = written(tmp_path, "model,condition,item_id,label\na,t2s,q1,right\na,t2s,q1,wrong\na,t2s,q2,right\n")
    labels = read_labels(path, answers())
    assert labels["label"].to_list() == [0.5, 1.0]
    assert labels["inclusion_probability"].null_count() == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,label\nabc,right\n", "line 2: clip 'abc' is not an answer of this run"),
        ("model,condition,item_id,label\na,t2s,q1,good\n", "line 2: unknown label 'good'"),
        ("model,condition,item_id,label\na,t2s,q1,\n", "contains no label"),
        ("model,condition,item_id,label\na,t2s,q999,right\n", "no scored answer for a q999 t2s"),
        ("condition,item_id,label\nt2s,q1,right\n", "no column 'model', but the results have 2"),
        ("label\nright\n", "needs a column 'clip' or a column 'item_id'"),
        ("item_id\nq1\n", "no column 'label'"),
        (
            "model,condition,item_id,label,inclusion_probability\na,t2s,q1,right,7\n",
            "inclusion_probability '7' must be",
        ),
    ],
)
def test_invalid_labels_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LabelsError) as caught:
        read_labels(written(tmp_path, text), answers())
    assert message in str(caught.value)


def test_a_column_named_line_is_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, "line,item_id,condition,model,label\n7,q1,t2s,a,right\n")
    assert read_labels(path, answers())["label"].to_list() == [1.0]


def test_non_integer_replicates_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "item_id,condition,model,label\nq1,t2s,a,right\n")
    with pytest.raises(LabelsError, match="replicate 'first'"):
        read_labels(path, answers().with_columns(replicate=pl.lit("first")))


def test_clip_names_depend_on_the_audio() -> None:
    results = answers(5)
    changed = results.with_columns(output_media=pl.lit("again"))
    assert not set(clip_ids(results)["clip"]) & set(clip_ids(changed)["clip"])


FORMULAS = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "  =1", '"=1', "'=1", "''=1"]
FORMULAS += ["＝1", "＋1", "－1", "＠a"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert spreadsheet_safe(text) == f"'{text}"
    assert from_spreadsheet(f"'{text}") == text


@pytest.mark.parametrize("value", ["Paris", "it's", "'tis", "3-4", "", -3.5, -1, None])
def test_other_text_and_numbers_stay(value: object) -> None:
    assert spreadsheet_safe(value) == value


@given(st.text() | st.text("'\" \t\r\n=+-@＝＋a", max_size=6))
def test_the_quotation_of_any_text_is_read_back(text: str) -> None:
    found = spreadsheet_safe(text)
    assert isinstance(found, str)
    assert from_spreadsheet(found) == text
    # What a spreadsheet compares: the first character behind blanks.
    assert found.lstrip()[:1] not in tuple("=+-@＝＋－＠") or not found.strip()


def test_hostile_ids_survive_a_spreadsheet(tmp_path: Path) -> None:
    names = {f"q{number}": text for number, text in enumerate(FORMULAS, start=1)}
    results = answers(models=("a",)).filter(pl.col("item_id").is_in(list(names)))
    results = results.with_columns(item_id=pl.col("item_id").replace(names))
    sample = draw_clips(results, 12, seed=1)
    text = sheet_csv(sample, ("model", "condition", "item_id", "replicate", "score"))
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert all(row[2].startswith("'") for row in rows if row[2] not in names)
    path = tmp_path / "labels.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "condition", "item_id", "replicate", "label"])
        writer.writerows([*row[:4], "right"] for row in rows)
    labels = read_labels(path, results)
    assert sorted(labels["item_id"]) == sorted(sample["item_id"])
