"""External tables with a column mapping: CSV, Parquet, JSON and JSONL, and faults with file and row."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from omnigap.vocabulary import AnswerType, Modality
from omnigap_orchestrator.config import ItemsConfig, load_config
from omnigap_orchestrator.items import Item, ItemError, load_items

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


def test_csv_and_mapping_in_the_documentation(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (csv,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    mapping = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "exam.csv").write_text(csv)
    (tmp_path / "my.toml").write_text(mapping)
    first, second = load_items(load_config(tmp_path / "my.toml").items)
    assert (first.id, first.task, first.choices) == ("1", "exam", ("shark", "dolphin", "lizard"))
    assert (first.answers, first.answer_type) == (("B",), AnswerType.LETTER)
    assert second.question == "Which of these is a metal?"


def test_parquet_mapping_in_the_documentation(tmp_path: Path) -> None:
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


def test_table_in_the_documented_form_needs_no_mapping(tmp_path: Path) -> None:
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


def test_numbers_dates_and_missing_values_become_text(tmp_path: Path) -> None:
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


def test_several_columns_are_joined(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("doc,n,passage,q,a1,a2\nd,1,It rained.,Was it wet?,yes,wet\n")
    mapping = {"id": ["doc", "n"], "question": ["passage", "q"], "answers": ["a1", "a2"], **CONSTANTS}
    (item,) = load_items(config(tmp_path / "a.csv", mapping))
    assert (item.id, item.question, item.answers) == ("d-1", "It rained.\nWas it wet?", ("yes", "wet"))


def test_dotted_names_read_struct_fields_unless_a_column_has_that_name(tmp_path: Path) -> None:
    frame = pl.DataFrame({"answers": [{"text": ["a", "b"], "start": [1, 2]}], "q": ["?!x"], "a.b": ["dotted"]})
    frame.write_parquet(tmp_path / "a.parquet")
    mapping = {"question": "q", "answers": "answers.text", "source": "a.b", **CONSTANTS}
    (item,) = load_items(config(tmp_path / "a.parquet", mapping))
    assert (item.answers, item.source) == (("a", "b"), "dotted")


def test_values_replace_booleans(tmp_path: Path) -> None:
    pl.DataFrame({"q": ["Is it?"], "a": [True]}).write_parquet(tmp_path / "a.parquet")
    answers = {"column": "a", "values": {"true": "yes", "false": "no"}}
    (item,) = load_items(config(tmp_path / "a.parquet", {"question": "q", "answers": answers, **CONSTANTS}))
    assert item.answers == ("yes",)


def test_jsonl_lines_may_lack_mapped_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "one?", "a": "x"}\n\n{"q": "two?", "a": ["y"], "hint": "h"}\n')
    items = load_items(config(path, {"question": "q", "answers": "a", "instruction": "hint", **CONSTANTS}))
    assert [(item.id, item.answers, item.instruction) for item in items] == [
        ("a-1", ("x",), ""),
        ("a-2", ("y",), "h"),
    ]


def test_invalid_jsonl_lines_raise_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "one?", "a": "x"}\n{bad\n{"q": "", "a": "x"}\n{"q": {"x": 1}, "a": "x"}\n')
    error = message(config(path, {"question": "q", "answers": "a", **CONSTANTS}))
    assert "a.jsonl: line 2: invalid JSON" in error
    assert "a.jsonl: line 3: question" in error
    assert "a.jsonl: line 4: question: {'x': 1}" in error


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


def test_invalid_rows_raise_with_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("q,a,label,pic\none?,x,0,\ntwo?,,1,\nthree?,z,2,gone.png\n")
    answers = {"column": "a"}
    instruction = {"column": "label", "values": {"0": "zero", "1": "one"}}
    mapping = {"question": "q", "answers": answers, "instruction": instruction, "carriers": {"image": "pic"}}
    error = message(config(path, mapping | CONSTANTS))
    assert f"{path}: row 2: answers: is empty" in error
    assert re.search(rf"{re.escape(str(path))}: row 3: instruction: '2' .*0, 1", error)
    error = message(
        config(path, {key: mapping[key] for key in ("question", "carriers")} | {"answers": "label"} | CONSTANTS)
    )
    assert f"{path}: row 3: carriers.image: 'gone.png' can't be read" in error


def test_duplicate_id_raises_with_both_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,question,answers\na,q?,x\nb,q?,x\na,q?,x\n")
    assert "row 3: id: 'a' is already used in row 1" in message(config(tmp_path / "a.csv", CONSTANTS))


def test_unknown_column_raises_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,gold\nq?,x\n")
    error = message(config(tmp_path / "a.csv", {"question": "promt", "answers": "gold", **CONSTANTS}))
    assert "items.columns.question: unknown column 'promt': did you mean 'prompt'?" in error


def test_required_field_without_a_column_raises_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answers\nq?,x\n")
    error = message(tmp_path / "a.csv")
    assert "has no column 'task'" in error
    assert 'task = { const = "..." }' in error


def test_unknown_struct_field_raises_with_the_nearest_one(tmp_path: Path) -> None:
    pl.DataFrame({"q": ["a?"], "gold": [{"text": "x"}]}).write_parquet(tmp_path / "a.parquet")
    error = message(config(tmp_path / "a.parquet", {"question": "q", "answers": "gold.txt", **CONSTANTS}))
    assert "row 1: answers: gold.txt: unknown field 'txt': did you mean 'text'?" in error
    error = message(config(tmp_path / "a.parquet", {"question": "q.x", "answers": "gold.text", **CONSTANTS}))
    assert "row 1: question: column 'q' is not a struct" in error


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", b"question,answers\nq\xe9?,x\n", "line 2: byte 2 of the line is 0xe9"),
        ("a.csv", b"", "can't be read as csv"),
        ("a.csv", b"question,answers\nq?,x,y,z\n", "can't be read as csv"),
        ("a.csv", b"question,answers,task,language,answer_type\n", "no items"),
        ("a.parquet", b"", "can't be read as parquet"),
        ("a.parquet", b"PAR1" + bytes(100) + b"PAR1", "can't be read as parquet"),
    ],
)
def test_damaged_tables_raise_with_their_path(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(data)
    error = message(tmp_path / name)
    assert str(tmp_path / name) in error
    assert expected in error


def test_truncated_parquet_file_raises(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"question": ["q?"] * 1000}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "can't be read as parquet" in message(path)


def test_glob_pattern_reads_files_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text("question,answers\nq?,x\n")
    items = load_items(config(tmp_path / "*.csv", CONSTANTS))
    assert [item.id for item in items] == ["a-1", "b-1"]


def mapped(path: Path, **mapping: Any) -> tuple[Item, ...]:
    columns = {"task": {"const": "t"}, "language": {"const": "en"}, "answer_type": {"const": "open"}, **mapping}
    return load_items(ItemsConfig.model_validate({"path": str(path), "columns": columns}))


def test_first_reads_the_first_existing_column(tmp_path: Path) -> None:
    for name, question in (("one", "Questions"), ("two", "Prompt")):
        pl.DataFrame({question: ["Who?"], "Answer": ["Ann"]}).write_csv(tmp_path / f"{name}.csv")
    items = mapped(tmp_path, question={"first": ["Prompt", "Questions"]}, answers={"first": ["Answer"]})
    assert [item.question for item in items] == ["Who?", "Who?"]
    with pytest.raises(ItemError, match=r"items.columns.question: .*prompt, q.*Questions, Answer"):
        mapped(tmp_path, question={"first": ["prompt", "q"]}, answers="Answer")


def test_part_of_the_path_becomes_a_field(tmp_path: Path) -> None:
    folder = tmp_path / "voicebench" / "mmsu"
    folder.mkdir(parents=True)
    pl.DataFrame({"question": ["Who?"], "answers": ["Ann"]}).write_parquet(folder / "law-00000-of-00001.parquet")
    path = folder / "law-00000-of-00001.parquet"
    assert mapped(path, task={"file": "([^/]+)/[^/]+$"})[0].task == "mmsu"
    chosen = {"file": "([^/]+)/[^/]+$", "values": {"bbh": "phrase"}, "otherwise": "entity"}
    assert mapped(path, answer_type=chosen)[0].answer_type == "entity"


def test_hashed_ids_do_not_depend_on_order_and_trailing_blanks(tmp_path: Path) -> None:
    for name, ending in (("one", ""), ("two", " ")):
        rows = [{"question": f"Who?{ending}", "answers": "Ann"}, {"question": "Where?", "answers": "Rome"}]
        pl.DataFrame(rows if name == "one" else rows[::-1]).write_csv(tmp_path / f"{name}.csv")
    ids = [
        {
            item.question.strip(): item.id
            for item in mapped(tmp_path / f"{name}.csv", id={"column": "question", "hash": True})
        }
        for name in ("one", "two")
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == 2


def test_rows_with_the_same_hash_raise(tmp_path: Path) -> None:
    pl.DataFrame({"question": ["Who?", "Who?"], "answers": ["Ann", "Bob"]}).write_csv(tmp_path / "a.csv")
    with pytest.raises(ItemError, match=r"row 2: id: .* in row 1"):
        mapped(tmp_path / "a.csv", id={"column": "question", "hash": True})


def test_letter_replaces_the_text_of_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "Which?", "options": ["sun", "moon"], "answer": "moon "}) + "\n")
    how = {"question": "q", "choices": "options", "answer_type": {"const": "letter"}}
    assert mapped(path, answers={"column": "answer", "letter": True}, **how)[0].answers == ("B",)
    path.write_text(json.dumps({"q": "Which?", "options": ["sun", "moon"], "answer": "mars"}) + "\n")
    with pytest.raises(ItemError, match=r"answers: 'mars' .*sun, moon"):
        mapped(path, answers={"column": "answer", "letter": True}, **how)


def test_format_combines_columns(tmp_path: Path) -> None:
    pl.DataFrame({"hint": ["Look.", None], "q": ["Who?", "Where?"], "answers": ["a", "b"]}).write_csv(
        tmp_path / "a.tsv", separator="\t"
    )
    items = mapped(tmp_path / "a.tsv", question={"column": ["hint", "q"], "format": "{0}\n{1}"})
    assert [item.question for item in items] == ["Look.\nWho?", "Where?"]


def test_ifeval_columns_become_checks(tmp_path: Path) -> None:
    row = {
        "key": 7,
        "prompt": "Write.",
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{"num_words": None, "relation": None}, {"num_words": 3, "relation": "at least"}],
    }
    pl.DataFrame([row]).write_parquet(tmp_path / "a.parquet")
    columns = {
        "id": "key",
        "question": "prompt",
        "metric": {"const": "ifeval"},
        "checks": ["instruction_id_list", "kwargs"],
    }
    item = mapped(tmp_path / "a.parquet", **columns)[0]
    assert item.id == "7"
    assert [check.kind for check in item.checks] == row["instruction_id_list"]
    assert item.checks[1].arguments == '{"num_words": 3, "relation": "at least"}'


def test_json_list_is_read_as_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"question": "Who?", "answers": "Ann"}]))
    assert mapped(path)[0].answers == ("Ann",)
    path.write_text(json.dumps({"question": "Who?"}))
    with pytest.raises(ItemError, match=r"a\.json: not a JSON list"):
        mapped(path)
