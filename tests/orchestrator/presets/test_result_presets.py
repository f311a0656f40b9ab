"""Result files of named benchmarks: made-up samples of each layout, read and joined by id."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.analysis import AnalysisOptions, analyse
from omnigap_orchestrator.extras.importers.results import Published, read_published
from omnigap_orchestrator.presets import (
    PresetError,
    ResultsPreset,
    load_preset,
    load_presets,
    preset_names,
)
from omnigap_orchestrator.results import TableError

SAMPLES = Path(__file__).parent / "samples"
TOOLS = ("inspect", "lm-eval")
"""Tools that run any benchmark: their presets have no items."""
BENCHMARKS = (
    "contextasr-bench",
    "omnibench",
    "openaudiobench",
    "ultraeval-audio",
    "vista-bench",
    "voicebench",
    "xmodbench",
)


def results_of(name: str) -> ResultsPreset:
    results = load_preset(name).results
    assert results is not None
    return results


def read(name: str, *files: str, **how: tuple[str, ...]) -> Published:
    return read_published([SAMPLES / name / file for file in files], results_of(name), **how)


def scores(published: Published, **where: str) -> dict[str, float | None]:
    """Item -> score."""
    frame = published.frame
    for column, value in where.items():
        frame = frame.filter(pl.col(column) == value)
    return dict(frame.sort("item_id").select("item_id", "score").iter_rows())


def test_presets_exist_and_name_the_source_of_their_layout() -> None:
    assert preset_names() == tuple(sorted((*BENCHMARKS, *TOOLS)))
    for name, preset in load_presets().items():
        assert preset.results is not None and (preset.items is None) == (name in TOOLS), name
        assert preset.source.startswith("https://") and preset.description.strip()
        assert preset.results.layout.strip()
        assert preset.items is None or preset.items.layout.strip()


def test_presets_bring_the_chance_of_guessing() -> None:
    def chances(name: str, *files: str, **how: tuple[str, ...]) -> set[float | None]:
        return set(read(name, *files, **how).frame.filter(pl.col("outcome") == "answered")["chance"])

    assert chances("voicebench", "tiny-mmsu-test-audio.jsonl") == {0.25}
    # A judge's rating can't be guessed at a known rate.
    assert chances("voicebench", "result-tiny-commoneval-test-audio.jsonl") == {None}
    for name, preset in load_presets().items():
        found = preset.results
        assert found is not None
        given = found.chance.choices or found.chance.tasks or found.chance.value is not None
        # A harness does not say what its data sets ask.
        assert bool(given) == (name not in ("ultraeval-audio", "lm-eval", "inspect")), name


def test_unknown_preset_raises_with_the_nearest_one() -> None:
    with pytest.raises(PresetError, match="did you mean 'voicebench'"):
        load_preset("voice-bench")


def test_voicebench_answers_are_scored_and_paired_by_question() -> None:
    both = read("voicebench", "tiny-mmsu-test-audio.jsonl", "tiny-mmsu-test-text.jsonl")
    assert set(both.frame["condition"]) == {"s2t", "t2t"}
    assert both.frame["model"].unique().to_list() == ["tiny"]
    assert both.frame["task"].unique().to_list() == ["mmsu"]
    # The files hold the questions in different orders.
    assert list(scores(both, condition="s2t")) == list(scores(both, condition="t2t"))
    assert sorted(scores(both, condition="s2t").values()) == [0, 0, 1]
    assert set(scores(both, condition="t2t").values()) == {1}
    unparsed = both.frame.filter(pl.col("flags").list.contains("unparsable"))
    assert unparsed["answer_used"].to_list() == ["Hm, a crow I guess"], "no letter is drawn"
    assert any("hash of prompt" in note for note in both.notes)
    assert both.reference == "t2t"


def test_voicebench_judge_ratings_are_averaged_and_labels_voted() -> None:
    rated = read("voicebench", "result-tiny-commoneval-test-audio.jsonl")
    assert sorted(scores(rated).values()) == [0, 0.75]
    voted = read("voicebench", "result-tiny-sd-qa-usa-audio.jsonl")
    assert sorted(scores(voted).values()) == [0, 1]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tiny-advbench-test-audio.jsonl", [0, 1]),
        ("tiny-bbh-test-audio.jsonl", [0, 1]),
        ("tiny-ifeval-test-audio.jsonl", [0.25, 1]),
    ],
)
def test_voicebench_other_subsets(file: str, expected: list[float]) -> None:
    assert sorted(scores(read("voicebench", file)).values()) == expected


def test_open_answers_without_ratings_raise(tmp_path: Path) -> None:
    path = tmp_path / "tiny-alpacaeval-test-audio.jsonl"
    path.write_text('{"prompt": "Why?", "response": "So."}\n')
    with pytest.raises(PresetError, match=r"alpacaeval is rated by a judge"):
        read_published([path], results_of("voicebench"))


def test_openaudiobench_ratings_of_each_set() -> None:
    read_in = read(
        "openaudiobench",
        "tiny_OpenAudioBench_gpt-4o_judge.jsonl",
        "typed/tiny_OpenAudioBench_gpt-4o_judge.jsonl",
        conditions=("s2t", "t2t"),
    )
    assert scores(read_in, condition="s2t") == {
        "alpaca_eval/0": 0.7,
        "llama_questions/1": 1,
        "reasoning_qa/4": 0.8,
        "trivia_qa/3": 1,
        "web_questions/2": 0,
        # The model said nothing: a failed call, not a wrong answer.
        "web_questions/5": None,
    }
    assert scores(read_in, condition="t2t")["web_questions/5"] == 1
    assert read_in.frame.filter(pl.col("score").is_null())["outcome"].to_list() == ["failed"]


def test_ultraeval_errors_are_failed_calls() -> None:
    read_in = read(
        "ultraeval-audio",
        "tiny/llama-questions-s2t/20260101.jsonl",
        "tiny/llama-questions/20260102.jsonl",
        conditions=("s2t", "s2s"),
    )
    assert read_in.frame.height == 6
    assert scores(read_in, condition="s2t") == {
        "llama-questions/0": 1,
        "llama-questions/1": 0,
        "llama-questions/2": 1,
    }
    assert scores(read_in, condition="s2s")["llama-questions/1"] is None
    with pytest.raises(PresetError, match=r"condition is unknown.*--condition"):
        read("ultraeval-audio", "tiny/llama-questions/20260102.jsonl")


def test_xmodbench_conditions_come_from_the_file_name() -> None:
    names = [f"tiny-omni/temporal_count_{way}.json" for way in ("audio_text", "text_audio", "vision_text")]
    strange = [f"tiny-omni/spatial_room_{way}.json" for way in ("audio_text", "vision_text")]
    read_in = read("xmodbench", *names, *strange)
    assert set(read_in.frame["task"]) == {"temporal_count"}
    assert set(read_in.frame["condition"]) == {"a2t", "t2a", "v2t"}
    assert read_in.frame["model"].unique().to_list() == ["tiny-omni"]
    assert scores(read_in, condition="a2t") == {"temporal_count/0": 1, "temporal_count/1": 0, "temporal_count/2": None}
    (note,) = [note for note in read_in.notes if "spatial_room" in note]
    assert "1 of its 2 items" in note and "correct_answer" in note
    with pytest.raises(PresetError, match="nothing can be paired"):
        read("xmodbench", *strange)


def test_omnibench_letters_are_parsed_again_and_absent_rows_are_missing() -> None:
    read_in = read("omnibench", "tiny/both.json", "tiny/captions.json", conditions=("both", "captions"))
    # The file says that every answer is right, one of them by a drawn letter.
    assert scores(read_in, condition="both") == {"music/1": 1, "speech/0": 1, "speech/2": 0}
    assert scores(read_in, condition="captions") == {"music/1": 1, "speech/0": 1, "speech/2": None}
    assert any(note.startswith("1 rows are missing") for note in read_in.notes)
    assert read_in.frame["model"].unique().to_list() == ["tiny"]


def test_vista_bench_condition_comes_from_the_data_set_name() -> None:
    read_in = read(
        "vista-bench",
        "tiny_VISTA-Bench_norm_exact_matching_result.tsv",
        "tiny_VISTA-Bench-VT_exact_matching_result.tsv",
    )
    assert scores(read_in, condition="t2t") == {
        "multimodal reasoning/3": 1,
        "unimodal knowledge/1": 1,
        "unimodal knowledge/2": 1,
    }
    assert list(scores(read_in, condition="i2t").values()) == [0, 1, 0]


def test_contextasr_bench_conditions_are_inside_the_rows() -> None:
    read_in = read("contextasr-bench", "tiny_metrics.jsonl")
    assert read_in.frame.height == 6
    assert scores(read_in, condition="contextless") == {"English/T-1": 0.5, "English/T-2": 0}
    assert scores(read_in, condition="fine-grained") == {"English/T-1": 1, "English/T-2": 1}
    assert read_in.frame["model"].unique().to_list() == ["tiny"]


@pytest.mark.parametrize(
    ("name", "files", "conditions"),
    [
        ("voicebench", ("tiny-mmsu-test-audio.jsonl", "tiny-mmsu-test-text.jsonl"), ()),
        (
            "openaudiobench",
            ("tiny_OpenAudioBench_gpt-4o_judge.jsonl", "typed/tiny_OpenAudioBench_gpt-4o_judge.jsonl"),
            ("s2t", "t2t"),
        ),
        ("omnibench", ("tiny/both.json", "tiny/captions.json"), ("both", "captions")),
        ("contextasr-bench", ("tiny_metrics.jsonl",), ()),
    ],
)
def test_results_can_be_analysed(name: str, files: tuple[str, ...], conditions: tuple[str, ...]) -> None:
    read_in = read(name, *files, conditions=conditions)
    tables = analyse(read_in.frame, AnalysisOptions(reference=read_in.reference))
    assert tables.frames["gaps"].height > 0
    assert set(tables.frames["gaps"]["reference"]) == {read_in.reference}


def test_file_of_another_layout_raises(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "xmodbench/tiny-omni/temporal_count_audio_text.json", tmp_path / "x_audio_text.json")
    with pytest.raises(PresetError, match=r"item_id: unknown column 'uniq_id'|not an object of results|no key"):
        read_published([tmp_path / "x_audio_text.json"], results_of("contextasr-bench"))
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(PresetError, match=r"ends in \.json"):
        read_published([tmp_path / "a.xlsx"], results_of("vista-bench"))
    (tmp_path / "tiny-mmsu-test-audio.jsonl").write_text('{"prompt": "a"}\n')
    with pytest.raises(PresetError, match=r"answer: .*response.*prompt"):
        read_published([tmp_path / "tiny-mmsu-test-audio.jsonl"], results_of("voicebench"))


def test_number_outside_its_scale_raises(tmp_path: Path) -> None:
    path = tmp_path / "m_VISTA-Bench.csv"
    path.write_text("index,category,prediction,answer,hit\n1,a,A,A,3\n")
    with pytest.raises(PresetError, match=r"hit is 3, .* 0 to 1"):
        read_published([path], results_of("vista-bench"))


def test_conditions_and_models_of_the_command_line_fit_the_files(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"--condition: 3 values for 2 tables"):
        read("omnibench", "tiny/both.json", "tiny/captions.json", conditions=("a", "b", "c"))
    named = read("omnibench", "tiny/both.json", "tiny/captions.json", conditions=("a", "b"), models=("one",))
    assert named.frame["model"].unique().to_list() == ["one"]
