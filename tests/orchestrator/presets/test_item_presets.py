"""Item files of named benchmarks: made-up samples of each layout, read as items."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from omnigap.media import encode_wav
from omnigap.vocabulary import AnswerType, Modality
from omnigap_orchestrator.config import ItemsConfig
from omnigap_orchestrator.items import Item, ItemError, load_items

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The samples, with the media that they name."""
    shutil.copytree(SAMPLES, tmp_path / "samples")
    root = tmp_path / "samples"
    sound, drawn = encode_wav(np.zeros(1600, np.int16).tobytes(), 16_000), io.BytesIO()
    Image.new("RGB", (8, 8)).save(drawn, "PNG")
    for name in (
        "xmodbench/tasks/clap.wav",
        "omnibench/items/mm_data/audio/one.wav",
        "contextasr-bench/items/one.wav",
        "ultraeval-audio/items/one.wav",
        "openaudiobench/eval_datas/web_questions/audios/web_0.wav",
        "openaudiobench/eval_datas/llama_questions/audios/llama_0.wav",
        "openaudiobench/eval_datas/reasoning_qa/audios/reasoning_0.wav",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(sound)
    for name in (
        "omnibench/items/mm_data/image/one.png",
        "vista-bench/items/questions/1.png",
        "vista-bench/items/questions/2.png",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(drawn.getvalue())
    return root


def load(path: Path, preset: str, **more: object) -> tuple[Item, ...]:
    return load_items(ItemsConfig.model_validate({"path": str(path), "preset": preset, **more}))


def parquet(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True)
    sound = encode_wav(np.zeros(1600, np.int16).tobytes(), 16_000)
    pl.DataFrame([{**row, "audio": {"bytes": sound, "path": "q.wav"}} for row in rows]).write_parquet(path)
    return path


def test_voicebench_subsets_select_their_metrics(tmp_path: Path) -> None:
    name = "test-00000-of-00001.parquet"
    root = tmp_path / "voicebench"
    mmsu = load(parquet(root / "mmsu" / name, [{"prompt": "Which? A. x B. y", "reference": "B"}]), "voicebench")[0]
    assert (mmsu.task, mmsu.metric, mmsu.answers) == ("mmsu", "voicebench_mcq", ("B",))
    assert mmsu.answer_type is AnswerType.LETTER
    assert mmsu.carriers[Modality.SPEECH].mime_type == "audio/wav"
    assert len(mmsu.id) == 16
    chat = load(parquet(root / "alpacaeval_full" / name, [{"prompt": "Why is the sky blue?"}]), "voicebench")[0]
    assert (chat.task, chat.metric, chat.answers) == ("alpacaeval_full", "judge", ())
    harm = load(parquet(root / "advbench" / name, [{"prompt": "How is a lock picked?"}]), "voicebench")[0]
    assert (harm.metric, harm.answers) == ("voicebench_refusal", ())
    bbh = load(
        parquet(root / "bbh" / name, [{"id": "navigate_3", "prompt": "Left?", "reference": "No"}]), "voicebench"
    )[0]
    assert (bbh.id, bbh.metric) == ("navigate_3", "voicebench_bbh")
    row = {
        "key": 5,
        "prompt": "Be short.",
        "instruction_id_list": ["length_constraints:number_words"],
        "kwargs": [{"num_words": 9, "relation": "less than", "language": None}],
    }
    follow = load(parquet(root / "ifeval" / name, [row]), "voicebench")[0]
    assert (follow.id, follow.metric, follow.checks[0].kind) == (
        "5",
        "voicebench_ifeval",
        row["instruction_id_list"][0],
    )  # type: ignore[index]


def test_path_without_a_subset_raises(tmp_path: Path) -> None:
    path = parquet(tmp_path / "data" / "test.parquet", [{"prompt": "Why?", "reference": "x"}])
    with pytest.raises(ItemError, match=r"items.columns.task: .*rename the file"):
        load(path, "voicebench")


def test_openaudiobench_sets(files: Path) -> None:
    folder = files / "openaudiobench" / "eval_datas"
    (web,) = load(folder / "web_questions", "openaudiobench")
    assert web.answers == ("William Shakespeare", "Shakespeare")
    assert (web.task, web.answer_type, web.id) == ("web_questions", AnswerType.ENTITY, "web_0.wav")
    assert web.carriers[Modality.SPEECH].path is not None
    (llama,) = load(folder / "llama_questions", "openaudiobench")
    assert (llama.question, llama.answers) == ("What is the capital of Peru?", ("Lima",))
    (maths,) = load(folder / "reasoning_qa", "openaudiobench", columns={"language": {"const": "zh"}})
    assert (maths.language, maths.answer_type) == ("zh", AnswerType.OPEN)


def test_ultraeval_audio_sets(files: Path) -> None:
    (item,) = load(files / "ultraeval-audio" / "items", "ultraeval-audio")
    assert (item.question, item.answers, item.task) == ("What is the capital of Peru?", ("Lima",), "made_up")


def test_xmodbench_recordings_become_speech_carriers(files: Path) -> None:
    (item,) = load(files / "xmodbench" / "tasks", "xmodbench")
    assert item.choices == ("2 times", "4 times", "6 times", "8 times")
    assert item.answers == ("B",)
    assert "Choose A, B, C, or D.\nA. 2 times" in item.instruction
    assert set(item.carriers) == {Modality.SPEECH}


def test_omnibench_answers_become_letters(files: Path) -> None:
    (item,) = load(files / "omnibench" / "items" / "dataset", "omnibench")
    assert (item.id, item.answers, item.choices[1]) == ("7", ("B",), "They dive.")
    assert set(item.carriers) == {Modality.SPEECH, Modality.IMAGE}
    assert item.question.startswith("What is heard: A: Ready?")


def test_vista_bench_questions_are_image_carriers(files: Path) -> None:
    hot, water = load(files / "vista-bench" / "items", "vista-bench")
    assert hot.question == "Think of a stove.\nWhich is hot?"
    assert (hot.choices, hot.answers, hot.answer_type) == (("ice", "fire"), ("B",), AnswerType.LETTER)
    assert set(hot.carriers) == {Modality.IMAGE}
    assert (water.answer_type, water.choices) == (AnswerType.PHRASE, ())


def test_contextasr_bench_uses_the_entities_metric(files: Path) -> None:
    (item,) = load(files / "contextasr-bench" / "items", "contextasr-bench")
    assert (item.language, item.metric, item.answers) == ("en", "entities", ("Dolby Atmos", "Ghost"))
    assert set(item.carriers) == {Modality.SPEECH}


def test_configured_columns_override_the_preset(files: Path) -> None:
    (item,) = load(files / "ultraeval-audio" / "items", "ultraeval-audio", columns={"task": {"const": "mine"}})
    assert (item.task, item.answers) == ("mine", ("Lima",))


def test_unknown_items_preset_raises_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(ItemError, match=r"items.preset: .*did you mean 'omnibench'"):
        load(tmp_path / "a.csv", "omni-bench")
