"""Tables as people really have them: values of other types, other separators, broken lines, and the wrong file."""

from __future__ import annotations

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


def test_truth_values_and_numbers_may_mix_as_text(tmp_path: Path) -> None:
    path = _csv(tmp_path, f'{HEADER}\na,t2t,True\nb,t2t,0\nc,t2t, 0.5 \nd,t2t,false\ne,t2t,""\n')
    assert read_results(path)["score"].to_list() == [1.0, 0.0, 0.5, 0.0, None]


def test_two_columns_of_one_name_are_refused_where_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"two columns called 'score': rename one"):
        read_results(_csv(tmp_path, f"{HEADER},score\na,t2t,1,0\n"))
    assert read_results(_csv(tmp_path, f"{HEADER},note,note\na,t2t,1,x,y\n")).height == 1


@pytest.mark.parametrize("word", ["NA", "null", "yes", "0,5"])
def test_a_score_that_is_no_number_is_named_with_what_to_write(word: str, tmp_path: Path) -> None:
    path = _csv(tmp_path, f'{HEADER}\na,t2t,1\nb,t2t,"{word}"\n')
    with pytest.raises(TableError, match=rf"score '{word}' is no number \(so in 1 of 2 rows\): write 0 to 1"):
        read_results(path)


@pytest.mark.parametrize("score", [[1.0], {"value": 1.0}])
def test_scores_inside_lists_or_objects_are_refused(score: object, tmp_path: Path) -> None:
    pl.DataFrame({"item_id": ["a"], "condition": ["t2t"], "score": [score]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"score holds (List|Struct).*not numbers"):
        read_results(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latency_s", "1.5 s", "latency_s '1.5 s' is no number"),
        ("wer_errors", "some", "wer_errors 'some' is no number"),
        ("flags", "refused", "flags 'refused' is no list"),
        ("chance", 4, r"chance 4.0 lies outside \[0, 1\]: give 1 over the number of choices"),
        ("second_score", 71.5, r"second_score 71.5 lies outside \[0, 1\]"),
    ],
)
def test_another_column_that_does_not_fit_is_named(name: str, value: object, message: str, tmp_path: Path) -> None:
    _rows(**{name: value}).write_csv(tmp_path / "table.csv")
    with pytest.raises(TableError, match=message):
        read_results(tmp_path / "table.csv")


def test_columns_of_text_stay_text_where_a_file_has_numbers_in_them(tmp_path: Path) -> None:
    _rows(answer_used=7, flags=None, latency_s="1.5").write_csv(tmp_path / "table.csv")
    frame = read_results(tmp_path / "table.csv")
    assert frame["answer_used"].to_list() == ["7", "7"]
    assert frame.schema["flags"] == pl.List(pl.String)
    assert frame["latency_s"].to_list() == [1.5, 1.5]


def test_one_column_may_stand_for_two_of_ours_and_two_may_be_swapped(tmp_path: Path) -> None:
    path = _csv(tmp_path, f"{HEADER},group\nt2t,a,1,g\nt2t,b,0,h\n")
    mapping = {"item_id": "condition", "condition": "item_id", "task": "group", "cluster": "group"}
    frame = read_results(path, mapping)
    assert frame["item_id"].to_list() == ["a", "b"]
    assert frame["condition"].to_list() == ["t2t", "t2t"]
    assert frame["task"].to_list() == frame["cluster"].to_list() == ["g", "h"]


def test_a_column_of_ours_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = _csv(tmp_path, f"{HEADER},group\na,t2t,1,g\n")
    with pytest.raises(TableError, match="'clustr' is no column of ours: did you mean 'cluster'"):
        read_results(path, {"clustr": "group"})


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no rows"):
        read_results(_csv(tmp_path, HEADER + "\n"))


def test_control_cells_are_not_taken_for_answers(tmp_path: Path) -> None:
    path = tmp_path / "controls.parquet"
    _rows(control="blank").write_parquet(path)
    with pytest.raises(TableError, match=r"holds control cells \(blank\).*--controls"):
        read_results(path)
    assert read_controls(path).height == 2


def test_two_runs_of_one_model_are_told_to_be_averaged(tmp_path: Path) -> None:
    _rows(replicate=0).write_parquet(tmp_path / "a.parquet")
    _, notes = join_results([tmp_path / "a.parquet", tmp_path / "a.parquet"])
    assert notes == ("4 rows share item, model, condition and replicate with others: they are averaged as replicates",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id;condition;score\na;t2t;1\n", "seems to be separated by ';': save it with commas"),
        ("item_id;condition;score\na;t2t;0,5\n", "seems to be separated by ';': save it with commas"),
        (f"{HEADER}\na,t2t,1\nb,t2t,1,more\n", "line 3 has 4 values, and the header 3 names"),
    ],
)
def test_a_file_that_is_separated_otherwise_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=message):
        read_results(_csv(tmp_path, text))


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(f"{HEADER}\né,t2t,1\n".encode("latin-1"))
    with pytest.raises(TableError, match=r"line 2: byte 1 .* not UTF-8: save the file as UTF-8"):
        read_results(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "line 2: Expecting property name"),
        ('["a", "t2t", 1]', "line 2 is no JSON object"),
        ('{"item_id": "b", "condition": "t2t", "score": NaN}', "line 2: NaN is no JSON value: write null"),
    ],
)
def test_a_broken_line_of_objects_is_told(line: str, message: str, tmp_path: Path) -> None:
    good = '{"item_id": "a", "condition": "t2t", "score": 1}'
    with pytest.raises(TableError, match=message):
        read_results(_csv(tmp_path, f"{good}\n{line}\n", "table.jsonl"))


def test_a_byte_order_mark_before_objects_is_passed_over(tmp_path: Path) -> None:
    path = _csv(tmp_path, '\ufeff{"item_id": "a", "condition": "t2t", "score": 1}\n', "table.jsonl")
    assert read_results(path)["item_id"].to_list() == ["a"]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_path_with_brackets_is_no_pattern_of_other_paths(suffix: str, tmp_path: Path) -> None:
    write = {"parquet": "write_parquet", "csv": "write_csv", "jsonl": "write_ndjson"}[suffix]
    for name, score in (("run[1]", 1.0), ("run1", 0.0)):
        (tmp_path / name).mkdir()
        getattr(_rows().with_columns(score=pl.lit(score)), write)(tmp_path / name / f"table.{suffix}")
    assert read_results(tmp_path / "run[1]" / f"table.{suffix}")["score"].to_list() == [1.0, 1.0]


def test_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no such file, and no such run's folder"):
        read_results(tmp_path / "runs" / "tpyo")
