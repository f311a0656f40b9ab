"""Tables of per-item scores of other tools: column mapping, types, separators, faulty files."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.extras.importers.table import join_results, read_controls, read_results
from omnigap_orchestrator.results import TableError

HEADER = "item_id,condition,score"


def _csv(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _rows(**more: object) -> pl.DataFrame:
    frame = pl.DataFrame({"item_id": ["a", "b"], "condition": ["t2t", "t2t"], "score": [1.0, 0.0]})
    return frame.with_columns(pl.lit(value).alias(name) for name, value in more.items())


@pytest.fixture
def theirs() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "qid": [1, 1, 2, 2],
            "modality": ["text", "audio", "text", "audio"],
            "correct": [True, False, True, None],
            "system": ["m", "m", "m", "m"],
        }
    )


COLUMNS = {"item_id": "qid", "condition": "modality", "score": "correct", "model": "system"}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_file_formats_give_the_same_frame(theirs: pl.DataFrame, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{suffix}"
    {"parquet": theirs.write_parquet, "csv": theirs.write_csv, "jsonl": theirs.write_ndjson}[suffix](path)
    frame = read_results(path, COLUMNS)
    assert frame["item_id"].to_list() == ["1", "1", "2", "2"]
    assert frame["score"].to_list() == [1.0, 0.0, 1.0, None]
    assert frame["outcome"].to_list() == ["answered", "answered", "answered", "failed"]
    assert frame["task"].unique().to_list() == ["all"]
    assert frame["cluster"].to_list() == frame["item_id"].to_list()


def test_missing_column_is_reported_with_the_flag_that_maps_it(theirs: pl.DataFrame, tmp_path: Path) -> None:
    theirs.write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=r"no column 'item_id'.*--column item_id=THEIRS"):
        read_results(tmp_path / "table.csv")


def test_mapping_to_a_missing_column_is_reported(theirs: pl.DataFrame, tmp_path: Path) -> None:
    theirs.write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=r"'nope'.*item_id"):
        read_results(tmp_path / "table.csv", {"item_id": "nope"})


def test_percentages_are_refused(theirs: pl.DataFrame, tmp_path: Path) -> None:
    theirs.with_columns(correct=pl.lit(71.5)).write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=r"score 71.5 is outside \[0, 1\]"):
        read_results(tmp_path / "table.csv", COLUMNS)


def test_unknown_file_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"")
    with pytest.raises(TableError, match=r"ends in \.parquet"):
        read_results(tmp_path / "table.xlsx")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_decimal_score_after_a_thousand_integers_is_read(suffix: str, tmp_path: Path) -> None:
    scores = [*[1] * 1500, 0.5]
    path = tmp_path / f"table.{suffix}"
    rows = [(f"q{number}", "t2t", score) for number, score in enumerate(scores)]
    if suffix == "jsonl":
        names = ("item_id", "condition", "score")
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    else:
        by = "," if suffix == "csv" else "\t"
        path.write_text("\n".join(by.join(map(str, row)) for row in [("item_id", "condition", "score"), *rows]))
    assert read_results(path)["score"].to_list() == scores


def test_key_that_first_occurs_late_in_a_jsonl_file_is_kept(tmp_path: Path) -> None:
    rows = [{"item_id": f"q{number}", "condition": "t2t", "score": 1} for number in range(1500)]
    rows += [{**row, "item_id": f"late {row['item_id']}", "cluster": "passage"} for row in rows[:2]]
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_results(path)["cluster"].to_list()[-3:] == ["q1499", "passage", "passage"]


def test_ids_that_look_like_numbers_stay_distinct(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("qid,condition,score,cluster\n1.1,t2t,1,01\n1.10,t2t,0,1\n")
    frame = read_results(path, {"item_id": "qid"})
    assert frame["item_id"].to_list() == ["1.1", "1.10"]
    assert frame["cluster"].to_list() == ["01", "1"]


def test_row_without_an_item_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("item_id,condition,score\na,t2t,1\n,t2t,0\n")
    with pytest.raises(TableError, match="item_id is empty in 1 of 2 rows"):
        read_results(tmp_path / "table.csv")


def test_booleans_and_numbers_as_text_may_be_mixed(tmp_path: Path) -> None:
    path = _csv(tmp_path, f'{HEADER}\na,t2t,True\nb,t2t,0\nc,t2t, 0.5 \nd,t2t,false\ne,t2t,""\n')
    assert read_results(path)["score"].to_list() == [1.0, 0.0, 0.5, 0.0, None]


def test_duplicate_column_is_refused_if_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"two columns .*'score'"):
        read_results(_csv(tmp_path, f"{HEADER},score\na,t2t,1,0\n"))
    assert read_results(_csv(tmp_path, f"{HEADER},note,note\na,t2t,1,x,y\n")).height == 1


@pytest.mark.parametrize("word", ["NA", "null", "yes", "0,5"])
def test_score_that_is_not_a_number_is_reported(word: str, tmp_path: Path) -> None:
    path = _csv(tmp_path, f'{HEADER}\na,t2t,1\nb,t2t,"{word}"\n')
    with pytest.raises(TableError, match=rf"score '{word}' .*1 of 2 rows"):
        read_results(path)


@pytest.mark.parametrize("score", [[1.0], {"value": 1.0}])
def test_scores_inside_lists_or_objects_are_refused(score: object, tmp_path: Path) -> None:
    pl.DataFrame({"item_id": ["a"], "condition": ["t2t"], "score": [score]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"score .*(List|Struct)"):
        read_results(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latency_s", "1.5 s", "latency_s '1.5 s'"),
        ("wer_errors", "some", "wer_errors 'some'"),
        ("flags", "refused", "flags 'refused'"),
        ("chance", 4, r"chance 4.0 is outside \[0, 1\]"),
        ("second_score", 71.5, r"second_score 71.5 is outside \[0, 1\]"),
    ],
)
def test_column_with_invalid_values_is_reported(name: str, value: object, message: str, tmp_path: Path) -> None:
    _rows(**{name: value}).write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=message):
        read_results(tmp_path / "table.csv")


def test_text_columns_with_numbers_stay_text(tmp_path: Path) -> None:
    _rows(answer_used=7, flags=None, latency_s="1.5").write_csv(tmp_path / "table.csv")
    frame = read_results(tmp_path / "table.csv")
    assert frame["answer_used"].to_list() == ["7", "7"]
    assert frame.schema["flags"] == pl.List(pl.String)
    assert frame["latency_s"].to_list() == [1.5, 1.5]


def test_columns_can_be_mapped_twice_and_swapped(tmp_path: Path) -> None:
    path = _csv(tmp_path, f"{HEADER},group\nt2t,a,1,g\nt2t,b,0,h\n")
    mapping = {"item_id": "condition", "condition": "item_id", "task": "group", "cluster": "group"}
    frame = read_results(path, mapping)
    assert frame["item_id"].to_list() == ["a", "b"]
    assert frame["condition"].to_list() == ["t2t", "t2t"]
    assert frame["task"].to_list() == frame["cluster"].to_list() == ["g", "h"]


def test_mapping_of_an_unknown_column_is_refused(tmp_path: Path) -> None:
    path = _csv(tmp_path, f"{HEADER},group\na,t2t,1,g\n")
    with pytest.raises(TableError, match=r"'clustr'.*did you mean 'cluster'"):
        read_results(path, {"clustr": "group"})


def test_empty_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no rows"):
        read_results(_csv(tmp_path, HEADER + "\n"))


def test_control_cells_are_refused_as_answers(tmp_path: Path) -> None:
    path = tmp_path / "controls.parquet"
    _rows(control="blank").write_parquet(path)
    with pytest.raises(TableError, match=r"control cells \(blank\).*--controls"):
        read_results(path)
    assert read_controls(path).height == 2


def test_repeated_rows_are_reported_as_replicates(tmp_path: Path) -> None:
    _rows(replicate=0).write_parquet(tmp_path / "a.parquet")
    _, (note,) = join_results([tmp_path / "a.parquet", tmp_path / "a.parquet"])
    assert note.startswith("4 rows")
    assert "item, model, condition and replicate" in note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id;condition;score\na;t2t;1\n", "separator seems to be ';'"),
        ("item_id;condition;score\na;t2t;0,5\n", "separator seems to be ';'"),
        (f"{HEADER}\na,t2t,1\nb,t2t,1,more\n", "line 3 has 4 values, .* 3 names"),
    ],
)
def test_wrong_separator_is_reported(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=message):
        read_results(_csv(tmp_path, text))


def test_wrong_encoding_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(f"{HEADER}\né,t2t,1\n".encode("latin-1"))
    with pytest.raises(TableError, match=r"line 2: byte 1 .*UTF-8"):
        read_results(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "line 2: Expecting property name"),
        ('["a", "t2t", 1]', "line 2 is not a JSON object"),
        ('{"item_id": "b", "condition": "t2t", "score": NaN}', "line 2: NaN"),
    ],
)
def test_faulty_line_of_a_jsonl_file_is_reported(line: str, message: str, tmp_path: Path) -> None:
    good = '{"item_id": "a", "condition": "t2t", "score": 1}'
    with pytest.raises(TableError, match=message):
        read_results(_csv(tmp_path, f"{good}\n{line}\n", "table.jsonl"))


def test_byte_order_mark_of_a_jsonl_file_is_ignored(tmp_path: Path) -> None:
    path = _csv(tmp_path, '\ufeff{"item_id": "a", "condition": "t2t", "score": 1}\n', "table.jsonl")
    assert read_results(path)["item_id"].to_list() == ["a"]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_brackets_in_a_path_are_not_a_glob_pattern(suffix: str, tmp_path: Path) -> None:
    write = {"parquet": "write_parquet", "csv": "write_csv", "jsonl": "write_ndjson"}[suffix]
    for name, score in (("run[1]", 1.0), ("run1", 0.0)):
        (tmp_path / name).mkdir()
        getattr(_rows().with_columns(score=pl.lit(score)), write)(tmp_path / name / f"table.{suffix}")
    assert read_results(tmp_path / "run[1]" / f"table.{suffix}")["score"].to_list() == [1.0, 1.0]


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file or run folder"):
        read_results(tmp_path / "runs" / "tpyo")
