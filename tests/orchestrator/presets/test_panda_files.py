"""VoiceBench's sd-qa files with PANDA's classifier: the mean with the judge's majority, or PANDA alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from panda_files import write_panda

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.foreign import read_published
from omnigap_orchestrator.presets import PresetError, load_preset
from omnigap_orchestrator.scoring.panda import Panda

QUESTION, GOLD = "who wrote hamlet", "William Shakespeare"
INSIDE, NEAR, FAR = "It was William Shakespeare.", "Shakespeare", "No idea"
Row = dict[str, object]


def file(folder: Path, name: str, rows: list[Row]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answers(**more: list[list[str]]) -> list[Row]:
    """Three answers: one that PANDA's first rule takes, one for its classifier, one that is wrong."""
    rows: list[Row] = [
        {"prompt": f"{QUESTION} {place}", "reference": GOLD, "response": text}
        for place, text in enumerate((INSIDE, NEAR, FAR))
    ]
    for name, values in more.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return rows


def by_answer(paths: list[Path], panda: Path | None) -> dict[str, float | None]:
    results = load_preset("voicebench").results
    assert results is not None
    read = read_published(paths, results, panda=None if panda is None else Panda.load(panda))
    return dict(zip(read.frame["answer_used"], read.frame["score"], strict=True))


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["analyse", *map(str, arguments)])


SPLIT = [["Yes", "Yes", "No"], ["No", "yes", "No"], ["Yes", "No", "YES"]]


def test_a_judged_file_gets_the_mean_of_the_judges_majority_and_panda(tmp_path: Path) -> None:
    path = file(tmp_path, "result-tiny-sd-qa-usa-audio.jsonl", answers(score=SPLIT))
    # Two of three decide: not two thirds.
    assert by_answer([path], None) == {INSIDE: 1.0, NEAR: 0.0, FAR: 1.0}
    assert by_answer([path], write_panda(tmp_path / "panda")) == {INSIDE: 1.0, NEAR: 0.5, FAR: 0.5}
    assert by_answer([path], write_panda(tmp_path / "strict", least=0.9)) == {INSIDE: 1.0, NEAR: 0.0, FAR: 0.5}


def test_a_row_without_a_verdict_stays_missing(tmp_path: Path) -> None:
    path = file(tmp_path, "result-tiny-sd-qa-usa-audio.jsonl", answers(score=[*SPLIT[:2], ["Hm.", "Yes", "Yes"]]))
    assert by_answer([path], write_panda(tmp_path / "panda")) == {INSIDE: 1.0, NEAR: 0.5, FAR: None}


def test_an_unjudged_file_gets_panda_alone_and_none_without_it(tmp_path: Path) -> None:
    path = file(tmp_path, "tiny-sd-qa-usa-audio.jsonl", answers())
    assert by_answer([path], write_panda(tmp_path / "panda")) == {INSIDE: 1.0, NEAR: 1.0, FAR: 0.0}
    with pytest.raises(PresetError, match=r"sd-qa is rated by a judge.*judge it first, or give --panda"):
        by_answer([path], None)


def test_other_tasks_are_scored_as_without_it(tmp_path: Path) -> None:
    samples = Path(__file__).parent / "samples" / "voicebench"
    panda = Panda.load(write_panda(tmp_path / "panda"))
    results = load_preset("voicebench").results
    assert results is not None
    for name in ("tiny-mmsu-test-audio.jsonl", "result-tiny-commoneval-test-audio.jsonl"):
        with_it, without = (read_published([samples / name], results, panda=given) for given in (panda, None))
        assert with_it.frame.equals(without.frame)
        assert "--panda changes nothing: no file is of sd-qa" in with_it.notes


def test_a_judged_and_an_unjudged_file_are_not_compared(tmp_path: Path) -> None:
    panda = write_panda(tmp_path / "panda")
    spoken = file(tmp_path, "result-tiny-sd-qa-usa-audio.jsonl", answers(score=SPLIT))
    typed = file(tmp_path, "tiny-sd-qa-usa-text.jsonl", answers())
    with pytest.raises(PresetError, match=r"sd-qa is judged in .*audio\.jsonl and not in .*text\.jsonl: .*both judged"):
        by_answer([spoken, typed], panda)


def test_a_file_without_references_is_refused(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "reference"} for row in answers(score=SPLIT)]
    path = file(tmp_path, "result-tiny-sd-qa-usa-audio.jsonl", rows)
    with pytest.raises(PresetError, match="a row of sd-qa lacks reference, which PANDA looks at"):
        by_answer([path], write_panda(tmp_path / "panda"))


def test_analyse_takes_the_folder_and_says_what_it_did(tmp_path: Path) -> None:
    panda = write_panda(tmp_path / "panda")
    paths = [
        file(tmp_path, f"result-tiny-sd-qa-usa-{how}.jsonl", answers(score=votes))
        for how, votes in (("audio", SPLIT), ("text", [["Yes"] * 3] * 3))
    ]
    done = call(*paths, "--preset", "voicebench", "--panda", panda, "--json")
    assert done.exit_code == 0, done.output
    assert "note: sd-qa: the mean of the judge and PANDA" in done.stderr
    rows = json.loads(done.stdout)["accuracy"]
    means = {row["condition"]: row["estimate"] for row in rows if row["pooling"] == "item_weighted"}
    assert means == pytest.approx({"s2t": 2 / 3, "t2t": 2.5 / 3})


def test_the_flag_where_it_can_do_nothing_is_refused(tmp_path: Path) -> None:
    panda = write_panda(tmp_path / "panda")
    table = tmp_path / "a.csv"
    table.write_text("item_id,condition,score\n1,t2t,1\n")
    assert "name it, as in --preset voicebench" in call(table, "--panda", panda).output
    assert (
        "preset vista-bench has no task that PANDA scores"
        in call(table, "--preset", "vista-bench", "--panda", panda).output
    )
    path = file(tmp_path, "tiny-sd-qa-usa-audio.jsonl", answers())
    gone = call(path, "--preset", "voicebench", "--panda", tmp_path / "gone")
    assert gone.exit_code == 1 and "holds neither tf-idf_vectorizer nor" in gone.output
