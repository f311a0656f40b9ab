"""Files of other evaluation tools: JSON, lm-evaluation-harness, lmms-eval, Inspect, answers without scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from omnigap_orchestrator.extras.importers.commands import ImportOptions, import_tables
from omnigap_orchestrator.extras.importers.select import RowSelection
from omnigap_orchestrator.extras.importers.table import join_results, read_results
from omnigap_orchestrator.results import TableError
from tests.orchestrator.extras.importers.xmodbench_folder import write_way

ROWS = [{"item_id": "a", "condition": "t2t", "score": 1}, {"item_id": "b", "condition": "t2t", "score": 0}]


def _lines(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "value",
    [ROWS, {"results": ROWS}, {"score": 0.5, "results": {"0": ROWS[0], "1": ROWS[1]}}, {"0": ROWS[0], "1": ROWS[1]}],
)
def test_json_lists_and_objects_of_rows_are_read(value: object, tmp_path: Path) -> None:
    frame = read_results(_json(tmp_path / "t.json", value))
    assert frame["item_id"].to_list() == ["a", "b"]
    assert frame["score"].to_list() == [1, 0]


def test_fields_of_objects_are_mapped_with_dots(tmp_path: Path) -> None:
    rows = [{"doc": {"id": n, "tags": ["x"]}, "judge": {"verdict": {"ok": n > 0}}} for n in range(2)]
    columns = {"item_id": "doc.id", "score": "judge.verdict.ok"}
    for path in (_lines(tmp_path / "t.jsonl", rows), _json(tmp_path / "t.json", rows)):
        frame, _ = join_results([path], columns, conditions=["t2t"])
        assert frame["item_id"].to_list() == ["0", "1"]
        assert frame["score"].to_list() == [0, 1]


def test_key_with_values_of_several_types_does_not_matter(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "question": "one?"}, {**ROWS[1], "question": ["two", "?"], "extra": {"n": 1}}]
    frame = read_results(_lines(tmp_path / "t.jsonl", rows))
    assert frame["item_id"].to_list() == ["a", "b"]
    assert frame["question"].to_list() == ["one?", '["two", "?"]']


def _harness(doc: int, right: bool, kind: str = "none", **more: object) -> dict[str, object]:
    return {
        "doc_id": doc,
        "doc": {"question": f"{doc} + 1?", "answer": str(doc + 1)},
        "target": str(doc + 1),
        "arguments": {"gen_args_0": {"arg_0": "...", "arg_1": {"until": ["\n"]}}},
        "resps": [[f"It is {doc + right}."]],
        "filtered_resps": [str(doc + right)],
        "filter": kind,
        "metrics": ["exact_match"],
        "doc_hash": f"{doc:064x}",
        "exact_match": float(right),
        **more,
    }


def test_harness_folders_are_conditions(tmp_path: Path) -> None:
    for way, first_right in (("typed", 0), ("spoken", 5)):
        rows = [_harness(doc, doc >= first_right) for doc in range(10)]
        _lines(tmp_path / way / "org__tiny" / "samples_sums_2026-01-02T03-04-05.678901.jsonl", rows)
        _json(tmp_path / way / "org__tiny" / "results_2026-01-02T03-04-05.678901.json", {"results": {}})
    read = import_tables(
        [tmp_path / "typed", tmp_path / "spoken"], ImportOptions({}, "lm-eval", conditions=["t2t", "s2t"])
    )
    means = {name: read.frame.filter(condition=name)["score"].mean() for name in ("t2t", "s2t")}
    assert means == {"t2t": 1, "s2t": 0.5}
    assert read.frame.select("model", "task").unique().rows() == [("org__tiny", "sums")]


def test_two_filters_of_the_harness_are_named(tmp_path: Path) -> None:
    rows = [_harness(doc, doc > 2 or kind == "loose", kind) for doc in range(6) for kind in ("loose", "strict")]
    path = _lines(tmp_path / "m" / "samples_sums_2026-01-02T03-04-05.678901.jsonl", rows)
    both = import_tables([path], ImportOptions({}, "lm-eval", conditions=["t2t"]))
    (note,) = both.notes
    assert "'filter': loose, strict" in note and "--where filter=loose" in note
    strict = RowSelection({"filter": ["strict"]})
    one = import_tables([path], ImportOptions({}, "lm-eval", conditions=["t2t"], selection=strict))
    assert (one.frame["score"].mean(), one.notes) == (0.5, ())


def test_names_of_lmms_eval_tasks_hold_the_condition(tmp_path: Path) -> None:
    for way in ("text", "audio"):
        rows = [_harness(doc, True, input="...", metric_of_task={"score": doc % 2}) for doc in range(4)]
        _lines(tmp_path / "org__tiny" / f"20260102_030405_samples_sums_{way}.jsonl", rows)
    options = ImportOptions({"score": "metric_of_task.score"}, "lm-eval", names="{model}/*_samples_{task}_{condition}")
    read = import_tables([tmp_path], options)
    assert sorted(read.frame["condition"].unique()) == ["audio", "text"]
    assert read.frame.select("model", "task").unique().rows() == [("org__tiny", "sums")]
    assert read.frame["score"].mean() == 0.5


def _log(task: str, values: Iterable[object], **scorers: object) -> dict[str, object]:
    samples = [
        {
            "id": number,
            "epoch": 1,
            "input": [{"role": "user", "content": "?"}],
            "target": "B",
            "scores": {"match": {"value": value, "answer": "B", "explanation": "..."}, **scorers},
        }
        for number, value in enumerate(values)
    ]
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": task, "model": "org/tiny", "created": "2026-01-02T03:04:05+00:00"},
        "results": {"scores": [{"name": "match"}]},
        "samples": samples,
    }


def test_inspect_logs_have_model_and_task_inside(tmp_path: Path) -> None:
    path = _json(tmp_path / "2026-01-02T03-04-05-00-00_sums_aBcDeFgHiJkLmNoPqRsTuV.json", _log("sums", "CIPN"))
    read = import_tables([path], ImportOptions({}, "inspect", conditions=["t2t"]))
    assert read.frame["score"].to_list() == [1, 0, 0.5, 0]
    assert read.frame.select("model", "task").unique().rows() == [("org/tiny", "sums")]
    number = _json(tmp_path / "n.json", _log("sums", [0.25, True]))
    assert import_tables([number], ImportOptions({}, "inspect", conditions=["t2t"])).frame["score"].to_list() == [
        0.25,
        1,
    ]


def test_scorers_of_an_inspect_log_are_chosen(tmp_path: Path) -> None:
    path = _json(tmp_path / "log.json", _log("sums", "CC", judge={"value": "I"}))
    both = import_tables([path], ImportOptions({}, "inspect", conditions=["t2t"]))
    assert any("'scorer': judge, match" in note for note in both.notes)
    judge = ImportOptions({}, "inspect", conditions=["t2t"], selection=RowSelection({"scorer": ["judge"]}))
    assert import_tables([path], judge).frame["score"].to_list() == [0, 0]


@pytest.mark.parametrize(
    ("name", "advice"), [("a.xlsx", "save the sheet as CSV"), ("a.eval", "inspect log convert"), ("a.gz", "unpack it")]
)
def test_files_of_other_types_say_what_to_do(name: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(TableError, match=advice):
        read_results(tmp_path / name)


def test_preset_that_fits_a_file_is_named(tmp_path: Path) -> None:
    path = _lines(tmp_path / "m" / "samples_sums_2026-01-02T03-04-05.678901.jsonl", [_harness(0, True)])
    with pytest.raises(TableError, match="--preset lm-eval knows files with these columns"):
        read_results(path)


ANSWERS = [
    {"item_id": "1", "condition": "t2t", "answer_used": "B", "answers": "B", "choices": '["x", "y"]'},
    {"item_id": "2", "condition": "t2t", "answer_used": "A", "answers": ["B"], "choices": ["x", "y"]},
    {"item_id": "3", "condition": "t2t", "answer_used": None, "answers": "A", "choices": ["x", "y"]},
]


def test_answers_without_scores_are_scored(tmp_path: Path) -> None:
    path = _lines(tmp_path / "t.jsonl", ANSWERS)
    frame, _ = join_results([path], answer_type="letter")
    assert frame["score"].to_list() == [1, 0, None]
    assert frame["outcome"].to_list() == ["answered", "answered", "failed"]
    assert frame["normalised_answer"].to_list()[2] is None


def test_answer_types_can_be_a_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("item_id,condition,said,gold,answer_type\n1,t2t,seven,7,number\n2,t2t,Lyon,Paris,entity\n")
    frame, _ = join_results([path], {"answer_used": "said", "answers": "gold"})
    assert frame["score"].to_list() == [1, 0]


@pytest.mark.parametrize(
    ("answer_type", "message"), [(None, r"--answer-type, one of entity"), ("lettre", "unknown answer_type 'lettre'")]
)
def test_unknown_answer_type_is_reported(answer_type: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=message):
        join_results([_lines(tmp_path / "t.jsonl", ANSWERS)], answer_type=answer_type)


def test_table_with_neither_scores_nor_answers_names_both(tmp_path: Path) -> None:
    path = _lines(tmp_path / "t.jsonl", [{"item_id": "1", "condition": "t2t", "said": "B"}])
    with pytest.raises(TableError, match=r"no column 'score'.*--column score=THEIRS.*answer_used"):
        join_results([path])


def test_scores_of_a_file_can_be_made_again_from_its_answers(tmp_path: Path) -> None:
    path = _lines(tmp_path / "t.jsonl", [{**row, "score": 0} for row in ANSWERS])
    assert join_results([path], answer_type="letter")[0]["score"].to_list() == [0, 0, 0]
    assert join_results([path], answer_type="letter", rescore=True)[0]["score"].to_list() == [1, 0, None]
    with pytest.raises(TableError, match=r"--rescore needs .*--column answers=THEIRS"):
        join_results([_lines(tmp_path / "u.jsonl", ROWS)], rescore=True)


def test_preset_rescores_answers_that_are_more_than_a_letter(tmp_path: Path) -> None:
    path = write_way(tmp_path / "m", "bells", "v2t", range(4))
    text = path.read_text().replace('"response": "B"', '"response": "The answer is B."')
    text = text.replace('"is_correct": true', '"is_correct": false')
    path.write_text(text)
    published = import_tables([path], ImportOptions({}, "xmodbench"))
    again = import_tables([path], ImportOptions({}, "xmodbench", rescore=True))
    assert published.frame["score"].to_list() == [0, 0, 0, 0]
    assert again.frame["score"].to_list() == [1, 1, 1, 1]
    with pytest.raises(TableError, match=r"--rescore: --preset contextasr-bench"):
        import_tables([path], ImportOptions({}, "contextasr-bench", rescore=True))
