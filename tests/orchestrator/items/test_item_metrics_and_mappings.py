"""Items that name their metric and checks, and mappings of files that differ in their columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from omnigap_orchestrator.config import ItemsConfig
from omnigap_orchestrator.items import Item, ItemError, load_items, write_items
from omnigap_orchestrator.items.item import Check
from omnigap_orchestrator.items.row import collect, jsonl_rows

ROW = {"id": "q1", "task": "t", "language": "en", "question": "What?", "answers": ["a"], "answer_type": "open"}
CHECK = {
    "id": "keywords:frequency",
    "kwargs": {"keyword": "sun", "frequency": 2, "relation": "at least", "letter": None},
}


def one(tmp_path: Path, **fields: object) -> Item:
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({**ROW, **fields}) + "\n")
    return collect(jsonl_rows(path))[0]


def mapped(path: Path, **mapping: Any) -> tuple[Item, ...]:
    columns = {"task": {"const": "t"}, "language": {"const": "en"}, "answer_type": {"const": "open"}, **mapping}
    return load_items(ItemsConfig.model_validate({"path": str(path), "columns": columns}))


def test_a_metric_and_checks_are_read_and_written_back(tmp_path: Path) -> None:
    item = one(tmp_path, metric="ifeval", checks=[CHECK], answers=[])
    assert item.metric == "ifeval"
    assert item.checks == (Check("keywords:frequency", '{"frequency": 2, "keyword": "sun", "relation": "at least"}'),)
    write_items(tmp_path / "again.jsonl", [item], lambda item, modality: None)
    assert collect(jsonl_rows(tmp_path / "again.jsonl")) == (item,)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metric": "refusl"}, ["metric", "did you mean 'refusal'"]),
        ({"answers": []}, ["answers: is empty"]),
        ({"metric": "ifeval"}, ["checks: is empty", "'ifeval'"]),
        ({"metric": "ifeval", "checks": [{"id": "keywords:nothing"}]}, ["checks[0]", "unknown instruction"]),
        ({"metric": "ifeval_audible", "checks": [{"id": "punctuation:no_comma"}]}, ["no check that can be heard"]),
    ],
)
def test_what_a_metric_needs_is_asked_for(tmp_path: Path, fields: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ItemError) as error:
        one(tmp_path, **fields)
    assert all(word in str(error.value) for word in words), error.value


def test_a_judge_needs_no_gold_answer(tmp_path: Path) -> None:
    assert one(tmp_path, metric="judge", answers=[]).answers == ()


def test_the_first_column_that_a_file_has_is_read(tmp_path: Path) -> None:
    for name, question in (("one", "Questions"), ("two", "Prompt")):
        pl.DataFrame({question: ["Who?"], "Answer": ["Ann"]}).write_csv(tmp_path / f"{name}.csv")
    items = mapped(tmp_path, question={"first": ["Prompt", "Questions"]}, answers={"first": ["Answer"]})
    assert [item.question for item in items] == ["Who?", "Who?"]
    with pytest.raises(ItemError, match=r"question: has none of the columns prompt, q: it has"):
        mapped(tmp_path, question={"first": ["prompt", "q"]}, answers="Answer")


def test_a_part_of_the_path_becomes_a_field(tmp_path: Path) -> None:
    folder = tmp_path / "voicebench" / "mmsu"
    folder.mkdir(parents=True)
    pl.DataFrame({"question": ["Who?"], "answers": ["Ann"]}).write_parquet(folder / "law-00000-of-00001.parquet")
    path = folder / "law-00000-of-00001.parquet"
    assert mapped(path, task={"file": "([^/]+)/[^/]+$"})[0].task == "mmsu"
    chosen = {"file": "([^/]+)/[^/]+$", "values": {"bbh": "phrase"}, "otherwise": "entity"}
    assert mapped(path, answer_type=chosen)[0].answer_type == "entity"


def test_ids_are_hashes_of_the_question_where_a_file_has_none(tmp_path: Path) -> None:
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


def test_two_rows_with_one_hash_are_named(tmp_path: Path) -> None:
    pl.DataFrame({"question": ["Who?", "Who?"], "answers": ["Ann", "Bob"]}).write_csv(tmp_path / "a.csv")
    with pytest.raises(ItemError, match="stands already in row 1"):
        mapped(tmp_path / "a.csv", id={"column": "question", "hash": True})


def test_a_choices_text_becomes_its_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"q": "Which?", "options": ["sun", "moon"], "answer": "moon "}) + "\n")
    how = {"question": "q", "choices": "options", "answer_type": {"const": "letter"}}
    assert mapped(path, answers={"column": "answer", "letter": True}, **how)[0].answers == ("B",)
    path.write_text(json.dumps({"q": "Which?", "options": ["sun", "moon"], "answer": "mars"}) + "\n")
    with pytest.raises(ItemError, match="'mars' is the text of no choice: sun, moon"):
        mapped(path, answers={"column": "answer", "letter": True}, **how)


def test_columns_are_put_into_a_form(tmp_path: Path) -> None:
    pl.DataFrame({"hint": ["Look.", None], "q": ["Who?", "Where?"], "answers": ["a", "b"]}).write_csv(
        tmp_path / "a.tsv", separator="\t"
    )
    items = mapped(tmp_path / "a.tsv", question={"column": ["hint", "q"], "format": "{0}\n{1}"})
    assert [item.question for item in items] == ["Look.\nWho?", "Where?"]


def test_ifevals_two_columns_become_checks(tmp_path: Path) -> None:
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


def test_a_json_list_is_a_table_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"question": "Who?", "answers": "Ann"}]))
    assert mapped(path)[0].answers == ("Ann",)
    path.write_text(json.dumps({"question": "Who?"}))
    with pytest.raises(ItemError, match="is no JSON list of objects"):
        mapped(path)
