"""Paraphrases and misrecognised words find their fact; unknown questions find none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnigap_services.demo.adapter import KNOWLEDGE, DemoOptions
from omnigap_services.demo.model import DONT_KNOW, QuestionAnswerer
from omnigap_services.demo.retrieval import Retriever, read_facts

ROWS = [json.loads(line) for line in (Path(__file__).parent / "paraphrases.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def answerer() -> QuestionAnswerer:
    return QuestionAnswerer(Retriever(read_facts(KNOWLEDGE)), DemoOptions().min_match)


def test_most_paraphrases_find_their_fact(answerer: QuestionAnswerer) -> None:
    known = [row for row in ROWS if row["answer"]]
    found = [answerer.answer(row["question"]).text == row["answer"] for row in known]
    assert sum(found) / len(found) >= 0.85


def test_most_questions_outside_the_facts_are_not_answered(answerer: QuestionAnswerer) -> None:
    unknown = [row["question"] for row in ROWS if row["answer"] is None]
    answered = [question for question in unknown if answerer.answer(question).text != DONT_KNOW]
    assert len(answered) / len(unknown) <= 0.15, answered


@pytest.mark.parametrize(
    ("transcript", "answer"),
    [
        ("what is the capitel of portugul", "Lisbon"),
        ("who made the telifone", "Alexander Graham Bell"),
        ("how many wheels has a biccle", "2"),
        ("witch planet wares rings of ice", "Saturn"),
        ("what is the biggest of the grate lakes", "Lake Superior"),
        ("which animal carries its yung in a pouch", "kangaroo"),
    ],
)
def test_misrecognised_words_find_their_fact(answerer: QuestionAnswerer, transcript: str, answer: str) -> None:
    assert answerer.answer(transcript).text == answer


@pytest.mark.parametrize("question", ["", "?!", "xyzzy plugh", "the of and"])
def test_a_question_without_content_is_not_answered(answerer: QuestionAnswerer, question: str) -> None:
    assert answerer.answer(question).text == DONT_KNOW


def test_a_single_letter_is_spoken_in_a_phrase(answerer: QuestionAnswerer) -> None:
    reply = answerer.answer("With which letter does the word giraffe begin?")
    assert (reply.text, reply.spoken) == ("G", "The letter G.")


def test_a_name_in_the_question_is_not_its_answer(answerer: QuestionAnswerer) -> None:
    assert answerer.answer("What is the capital of Cuba?").text != "Cuba"


def test_an_offered_alternative_may_be_the_answer(answerer: QuestionAnswerer) -> None:
    assert answerer.answer("Does star or spoon rhyme with moon?").text == "spoon"


def test_a_bad_line_of_facts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"text": "A", "answer": "B"}\n{"text": "C"}\n')
    with pytest.raises(ValueError, match=r"facts\.jsonl, line 2: a fact has the keys text and answer"):
        read_facts(path)
