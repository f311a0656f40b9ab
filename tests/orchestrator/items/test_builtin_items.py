"""The built-in items: schema, ids, balance, and media that match their gold answers."""

import json
import re
import wave
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from omnigap_orchestrator.items import make_counting
from omnigap_orchestrator.items.load import builtin_folder

FOLDER = builtin_folder()
FEWEST = {
    "places": 45,
    "people_and_works": 45,
    "science": 45,
    "numbers_and_dates": 45,
    "language": 35,
    "multiple_choice": 40,
    "counting": 24,
}
REQUIRED = {"id", "task", "language", "question", "instruction", "answers", "answer_type", "source"}
OPTIONAL = {"choices", "carriers", "cluster"}
ANSWER_TYPES = {"entity", "number", "date", "phrase", "word", "letter", "label"}

Row = dict[str, Any]


def rows_of(task: str) -> list[Row]:
    return [json.loads(line) for line in (FOLDER / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()]


ROWS = [row for task in FEWEST for row in rows_of(task)]
COUNTING = [pytest.param(row, id=row["id"]) for row in rows_of("counting")]


def test_number_of_items_and_families() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl") if not path.stem.startswith("ko_")} == set(FEWEST)
    assert len(ROWS) >= 260
    for task, fewest in FEWEST.items():
        rows = rows_of(task)
        assert len(rows) >= fewest
        assert {row["task"] for row in rows} == {task}


def test_rows_have_exactly_the_keys_of_the_schema() -> None:
    for row in ROWS:
        assert set(row) >= REQUIRED, row["id"]
        assert set(row) <= REQUIRED | OPTIONAL, row["id"]
        assert row["language"] == "en"
        assert row["answer_type"] in ANSWER_TYPES, row["id"]
        assert ("choices" in row) == (row["task"] == "multiple_choice"), row["id"]
        assert ("carriers" in row) == (row["task"] == "counting"), row["id"]


def test_ids_and_rendered_questions_are_unique() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    questions = [row["question"].lower() for row in ROWS if row["task"] != "counting"]
    assert [question for question, times in Counter(questions).items() if times > 1] == []


def test_questions_can_be_spoken() -> None:
    for row in ROWS:
        question = row["question"]
        assert re.fullmatch(r"[A-Z][A-Za-z ,']+\?", question), question
        assert 3 <= len(question.split()) <= 14, question


def test_answers_are_short_and_not_empty() -> None:
    for row in ROWS:
        assert row["answers"], row["id"]
        assert len(set(row["answers"])) == len(row["answers"]), row["id"]
        for answer in row["answers"]:
            assert answer.strip() == answer != "", row["id"]
            assert len(answer.split()) <= 6, row["id"]
        if row["answer_type"] == "number":
            assert row["answers"][0].isdigit(), row["id"]
        if row["answer_type"] == "letter":
            assert re.fullmatch("[A-Z]", row["answers"][0]), row["id"]
        if row["answer_type"] == "word":
            assert " " not in row["answers"][0], row["id"]


def test_questions_do_not_contain_their_answers() -> None:
    either_or = re.compile(r"\bor\b")  # "light or sound" has to name its answer
    for row in ROWS:
        if row["answer_type"] == "letter" or either_or.search(row["question"]):
            continue
        words = re.findall(r"\w+", row["question"].lower())
        assert row["answers"][0].lower() not in words, row["id"]


def test_correct_letters_are_balanced_and_unordered() -> None:
    letters = [row["answers"][0] for row in rows_of("multiple_choice")]
    counts = Counter(letters)
    assert set(counts) == set("ABCD")
    assert max(counts.values()) - min(counts.values()) <= 1
    assert not re.search(r"(.)\1\1", "".join(letters))
    assert all(letters[i : i + 8] != letters[i + 8 : i + 16] for i in range(len(letters) - 16))


def test_choices_are_four_distinct_texts_without_letters() -> None:
    for row in rows_of("multiple_choice"):
        assert len(row["choices"]) == len({choice.lower() for choice in row["choices"]}) == 4, row["id"]
        assert not any(re.match(r"[A-D][).:]", choice) for choice in row["choices"]), row["id"]


def test_first_rows_of_a_file_are_diverse() -> None:
    for task in ("places", "people_and_works", "science", "numbers_and_dates", "language"):
        openings = [" ".join(row["question"].split()[:4]) for row in rows_of(task)[:5]]
        assert len(set(openings)) == 5, task
    assert {row["answers"][0] for row in rows_of("multiple_choice")[:4]} == set("ABCD")
    assert len({row["answers"][0] for row in rows_of("counting")[:6]}) == 6


@pytest.mark.parametrize("row", COUNTING)
def test_counting_text_matches_its_answer(row: Row) -> None:
    words = row["carriers"]["text"].split()
    assert len(words) == int(row["answers"][0])
    assert len(set(words)) == 1


@pytest.mark.parametrize("row", COUNTING)
def test_counting_audio_matches_its_answer(row: Row) -> None:
    path = FOLDER / row["carriers"]["speech"]
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(float) / 32768
    assert len(samples) <= 6 * 16_000
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    loud = np.sqrt((frames**2).mean(axis=1)) > 0.1
    starts = np.flatnonzero(loud[1:] & ~loud[:-1])
    assert not loud[0]
    assert len(starts) == int(row["answers"][0])


@pytest.mark.parametrize("row", COUNTING)
def test_counting_image_matches_its_answer(row: Row) -> None:
    path = FOLDER / row["carriers"]["image"]
    assert path.stat().st_size <= 10_000
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    drawn = (pixels != pixels[0, 0]).any(axis=2)
    _, count = ndimage.label(drawn, structure=np.ones((3, 3)))
    assert count == int(row["answers"][0])


def test_counting_answers_are_balanced() -> None:
    assert Counter(row["answers"][0] for row in rows_of("counting")) == {str(n): 3 for n in range(1, 10)}


def test_counting_family_is_reproducible(tmp_path: Path) -> None:
    make_counting.make(tmp_path)
    assert (tmp_path / "counting.jsonl").read_bytes() == (FOLDER / "counting.jsonl").read_bytes()
    made = sorted(path.name for path in (tmp_path / "media").iterdir())
    assert made == sorted(path.name for path in (FOLDER / "media").iterdir())
    for name in made:
        ours, committed = tmp_path / "media" / name, FOLDER / "media" / name
        if name.endswith(".wav"):
            assert ours.read_bytes() == committed.read_bytes(), name
        else:
            with Image.open(ours) as left, Image.open(committed) as right:
                assert np.array_equal(np.asarray(left.convert("RGB")), np.asarray(right.convert("RGB"))), name
