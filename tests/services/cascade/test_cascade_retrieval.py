"""Looking up: other words and misheard words find their fact, what nothing matches finds none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnigap_services.cascade.answering import DONT_KNOW, Head
from omnigap_services.cascade.knowledge import read_facts
from omnigap_services.cascade.options import KNOWLEDGE, CascadeOptions
from omnigap_services.cascade.retrieval import Retriever

ROWS = [json.loads(line) for line in (Path(__file__).parent / "paraphrases.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def head() -> Head:
    return Head(Retriever(read_facts(KNOWLEDGE)), CascadeOptions().min_match)


def test_most_paraphrases_find_their_fact(head: Head) -> None:
    known = [row for row in ROWS if row["answer"]]
    found = [head.answer(row["question"]).text == row["answer"] for row in known]
    assert sum(found) / len(found) >= 0.85


def test_most_questions_outside_the_facts_are_not_answered(head: Head) -> None:
    unknown = [row["question"] for row in ROWS if row["answer"] is None]
    answered = [question for question in unknown if head.answer(question).text != DONT_KNOW]
    assert len(answered) / len(unknown) <= 0.15, answered


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        ("what is the capitel of portugul", "Lisbon"),
        ("who made the telifone", "Alexander Graham Bell"),
        ("how many wheels has a biccle", "2"),
        ("witch planet wares rings of ice", "Saturn"),
        ("what is the biggest of the grate lakes", "Lake Superior"),
        ("which animal carries its yung in a pouch", "kangaroo"),
    ],
)
def test_misheard_words_find_their_fact(head: Head, heard: str, answer: str) -> None:
    assert head.answer(heard).text == answer


@pytest.mark.parametrize("question", ["", "?!", "xyzzy plugh", "the of and"])
def test_what_says_nothing_is_not_answered(head: Head, question: str) -> None:
    assert head.answer(question).text == DONT_KNOW


def test_a_lone_letter_is_voiced_with_words_around_it(head: Head) -> None:
    reply = head.answer("With which letter does the word giraffe begin?")
    assert (reply.text, reply.voiced) == ("G", "The letter G.")


def test_what_the_question_names_is_not_its_answer(head: Head) -> None:
    assert head.answer("What is the capital of Cuba?").text != "Cuba"


def test_an_offered_alternative_may_be_the_answer(head: Head) -> None:
    assert head.answer("Does star or spoon rhyme with moon?").text == "spoon"


def test_a_bad_line_of_facts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"text": "A", "answer": "B"}\n{"text": "C"}\n')
    with pytest.raises(ValueError, match=r"facts\.jsonl, line 2: a fact has the keys text and answer"):
        read_facts(path)
