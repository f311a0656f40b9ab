"""Other people's tables come in by a column mapping; bad rows are named by file and row."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from omnigap.vocabulary import AnswerType, Modality
from omnigap_orchestrator.config import ItemsConfig, load_config
from omnigap_orchestrator.items import ItemError, load_items

DOCUMENT = Path(__file__).parents[3] / "docs" / "items.md"
CONSTANTS = {"task": {"const": "qa"}, "language": {"const": "en"}, "answer_type": {"const": "phrase"}}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
FLAC = b"fLaC" + bytes(16)


def config(path: Path, columns: dict[str, Any] | None = None, **more: Any) -> ItemsConfig:
    return ItemsConfig.model_validate({"path": str(path), "columns": columns, **more})


def message(source: ItemsConfig | Path) -> str:
    with pytest.raises(ItemError) as caught:
        load_items(source)
    return str(caught.value)


def test_the_csv_of_the_document_is_read_by_its_mapping(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (csv,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    mapping = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "exam.csv").write_text(csv)
    (tmp_path / "my.toml").write_text(mapping)
    first, second = load_items(load_config(tmp_path / "my.toml").items)
    assert (first.id, first.task, first.choices) == ("1", "exam", ("shark", "dolphin", "lizard"))
    assert (first.answers, first.answer_type) == (("B",), AnswerType.LETTER)
    assert second.question == "Which of these is a metal?"


def test_the_parquet_mapping_of_the_document_reads_a_hugging_face_file(tmp_path: Path) -> None:
    mapping = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[1]
    (tmp_path / "my.toml").write_text(mapping)
    (tmp_path / "emotions").mkdir()
    for part in range(2):
        frame = pl.DataFrame(
            {
                "audio": [{"bytes": FLAC + bytes([part]), "path": f"{part}.flac"}],
                "label": [part],
                "meta": [{"speaker": f"s{part}", "age": 30}],
            }
        )
        frame.write_parquet(tmp_path / "emotions" / f"train-{part}.parquet")
    first, second = load_items(load_config(tmp_path / "my.toml").items)
    assert [first.id, second.id] == ["train-0-1", "train-1-1"]
    assert [first.answers, second.answers] == [("anger",), ("joy",)]
    assert second.cluster == "s1"
    carrier = second.carriers[Modality.SPEECH]
    assert (carrier.read(), carrier.mime_type) == (FLAC + b"\1", "audio/flac")


def test_csv_text_stays_text_and_a_separator_splits_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('nr,prompt,gold\n007,"Two\nlines, quoted",Paris | City of Paris|\n')
    (item,) = load_items(
        config(path, {"id": "nr", "question": "prompt", "answers": "gold", **CONSTANTS}, separator="|")
    )
    assert (item.id, item.question) == ("007", "Two\nlines, quoted")
    assert item.answers == ("Paris", "City of Paris")


def test_a_table_in_the_documented_form_needs_no_mapping(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "b"],
            "task": ["t", "t"],
            "language": ["en", "en"],
            "question": ["one?", "two?"],
            "answers": [["x", "y"], ["z"]],
            "answer_type": ["word", "word"],
            "carriers": [{"image": {"bytes": PNG, "path": None}, "text": None}, {"image": None, "text": "t"}],
            "unused": [1, 2],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    first, second = load_items(tmp_path / "a.parquet")
    assert first.answers == ("x", "y")
    assert set(first.carriers) == {Modality.IMAGE}
    assert set(second.carriers) == {Modality.TEXT}


def test_numbers_dates_and_missing_values_become_text_as_people_write_them(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "q": ["one?", "two?", "three?"],
            "a": [[1969.0, None], [2.5, float("nan")], [3.0, 4.0]],
            "hint": [None, "x", float("nan")],
        },
        strict=False,
    )
    frame.write_parquet(tmp_path / "a.parquet")
    mapping = {"question": "q", "answers": "a", "instruction": "hint", **CONSTANTS}
    items = load_items(config(tmp_path / "a.parquet", mapping))
    assert [item.answers for item in items] == [("1969",), ("2.5",), ("3", "4")]
    assert [item.instruction for item in items][:2] == ["", "x"]


def test_several_columns_make_one_question_or_one_list(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("doc,n,passage,q,a1,a2\nd,1,It rained.,Was it wet?,yes,wet\n")
    mapping = {"id": ["doc", "n"], "question": ["passage", "q"], "answers": ["a1", "a2"], **CONSTANTS}
    (item,) = load_items(config(tmp_path / "a.csv", mapping))
    assert (item.id, item.question, item.answers) == ("d-1", "It rained.\nWas it wet?", ("yes", "wet"))


def test_struct_fields_are_read_by_a_dot_and_a_column_of_that_very_name_wins(tmp_path: Path) -> None:
    frame = pl.DataFrame({"answers": [{"text": ["a", "b"], "start": [1, 2]}], "q": ["?!x"], "a.b": ["dotted"]})
    frame.write_parquet(tmp_path / "a.parquet")
    mapping = {"question": "q", "answers": "answers.text", "source": "a.b", **CONSTANTS}
    (item,) = load_items(config(tmp_path / "a.parquet", mapping))
    assert (item.answers, item.source) == (("a", "b"), "dotted")


def test_truth_values_are_named_by_the_mapping(tmp_path: Path) -> None:
    pl.DataFrame({"q": ["Is it?"], "a": [True]}).write_parquet(tmp_path / "a.parquet")
    answers = {"column": "a", "values": {"true": "yes", "false": "no"}}
    (item,) = load_items(config(tmp_path / "a.parquet", {"question": "q", "answers": answers, **CONSTANTS}))
    assert item.answers == ("yes",)


def test_jsonl_lines_of_another_shape_are_mapped_even_where_some_lack_a_key(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "one?", "a": "x"}\n\n{"q": "two?", "a": ["y"], "hint": "h"}\n')
    items = load_items(config(path, {"question": "q", "answers": "a", "instruction": "hint", **CONSTANTS}))
    assert [(item.id, item.answers, item.instruction) for item in items] == [
        ("a-1", ("x",), ""),
        ("a-2", ("y",), "h"),
    ]


def test_bad_lines_of_a_mapped_jsonl_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "one?", "a": "x"}\n{bad\n{"q": "", "a": "x"}\n{"q": {"x": 1}, "a": "x"}\n')
    told = message(config(path, {"question": "q", "answers": "a", **CONSTANTS}))
    assert "a.jsonl: line 2: is no JSON" in told
    assert "a.jsonl: line 3: question" in told
    assert "a.jsonl: line 4: question: {'x': 1} is neither text nor a number" in told


def test_media_columns_hold_paths_or_structs(tmp_path: Path) -> None:
    (tmp_path / "i.png").write_bytes(PNG)
    (tmp_path / "a.csv").write_text("q,a,pic\nwhat?,x,i.png\nwho?,y,\n")
    mapping = {"question": "q", "answers": "a", "carriers": {"image": "pic"}, **CONSTANTS}
    first, second = load_items(config(tmp_path / "a.csv", mapping))
    assert first.carriers[Modality.IMAGE].path == tmp_path / "i.png"
    assert second.carriers == {}
    pl.DataFrame(
        {"q": ["what?", "who?"], "a": ["x", "y"], "pic": [{"bytes": None, "path": "i.png"}, {"bytes": PNG, "path": ""}]}
    ).write_parquet(tmp_path / "a.parquet")
    first, second = load_items(config(tmp_path / "a.parquet", mapping))
    assert first.carriers[Modality.IMAGE].path == tmp_path / "i.png"
    assert second.carriers[Modality.IMAGE].data == PNG


def test_bad_rows_are_named_by_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("q,a,label,pic\none?,x,0,\ntwo?,,1,\nthree?,z,2,gone.png\n")
    answers = {"column": "a"}
    instruction = {"column": "label", "values": {"0": "zero", "1": "one"}}
    mapping = {"question": "q", "answers": answers, "instruction": instruction, "carriers": {"image": "pic"}}
    told = message(config(path, mapping | CONSTANTS))
    assert f"{path}: row 2: answers: is empty" in told
    assert f"{path}: row 3: instruction: '2' is not among the mapping's values: 0, 1" in told
    told = message(
        config(path, {key: mapping[key] for key in ("question", "carriers")} | {"answers": "label"} | CONSTANTS)
    )
    assert f"{path}: row 3: carriers.image: 'gone.png' can't be read" in told


def test_ids_that_stand_twice_are_named_by_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,question,answers\na,q?,x\nb,q?,x\na,q?,x\n")
    assert "row 3: id: 'a' stands already in row 1" in message(config(tmp_path / "a.csv", CONSTANTS))


def test_a_column_that_the_file_lacks_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,gold\nq?,x\n")
    told = message(config(tmp_path / "a.csv", {"question": "promt", "answers": "gold", **CONSTANTS}))
    assert "items.columns.question: unknown column 'promt': did you mean 'prompt'?" in told


def test_a_needed_field_without_a_column_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answers\nq?,x\n")
    told = message(tmp_path / "a.csv")
    assert "has no column 'task'" in told
    assert 'task = { const = "..." }' in told


def test_a_field_that_a_struct_lacks_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"q": ["a?"], "gold": [{"text": "x"}]}).write_parquet(tmp_path / "a.parquet")
    told = message(config(tmp_path / "a.parquet", {"question": "q", "answers": "gold.txt", **CONSTANTS}))
    assert "row 1: answers: gold.txt: unknown field 'txt': did you mean 'text'?" in told
    told = message(config(tmp_path / "a.parquet", {"question": "q.x", "answers": "gold.text", **CONSTANTS}))
    assert "row 1: question: column 'q' is no struct" in told


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"question,answers\nq\xe9?,x\n", "line 2: byte 2 of the line is 0xe9"),
        ("a.csv", b"", "can't be read as csv"),
        ("a.csv", b"question,answers\nq?,x,y,z\n", "can't be read as csv"),
        ("a.csv", b"question,answers,task,language,answer_type\n", "holds no items"),
        ("a.parquet", b"", "can't be read as parquet"),
        ("a.parquet", b"PAR1" + bytes(100) + b"PAR1", "can't be read as parquet"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    told = message(tmp_path / name)
    assert str(tmp_path / name) in told
    assert said in told


def test_a_parquet_file_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"question": ["q?"] * 1000}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "can't be read as parquet" in message(path)


def test_a_pattern_means_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text("question,answers\nq?,x\n")
    items = load_items(config(tmp_path / "*.csv", CONSTANTS))
    assert [item.id for item in items] == ["a-1", "b-1"]
