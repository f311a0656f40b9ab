"""Gold answers that an answer asserts."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.score_text import score_text
from omnigap_orchestrator.scoring import Scored, score


def scored(
    text: str, *answers: str, question: str = "Which city is it?", kind: AnswerType = AnswerType.ENTITY
) -> Scored:
    return score(Item("1", "t", "en", question, answers or ("Bern",), kind), text)


@pytest.mark.parametrize(
    ("text", "answer", "question"),
    [
        ("Curie", "Marie Curie", "Which scientist was it?"),
        ("Curie, Marie", "Marie Curie", "Which scientist was it?"),
        ("Dr. Curie", "Marie Curie", "Who was it?"),
        ("de Gaulle", "Charles de Gaulle", "Who led the resistance?"),
        ("Marie Currie", "Marie Curie", "Who was it?"),
        ("The UK", "United Kingdom", "Which country?"),
        ("U.K.", "United Kingdom", "Which country?"),
        ("losangeles", "Los Angeles", "Which city?"),
        ("Los Angeles, California", "Los Angeles", "Which city?"),
    ],
)
def test_other_forms_of_the_same_name(text: str, answer: str, question: str) -> None:
    assert scored(text, answer, question=question).score == 1


@pytest.mark.parametrize(
    ("text", "answers", "question"),
    [
        ("Pierre Curie", ("Marie Curie",), "Which scientist was it?"),
        ("P. Curie", ("Marie Curie",), "Who was it?"),
        ("Rosalynn Carter", ("Jimmy Carter", "Carter"), "Which president was it?"),
        ("Tin Man", ("tin",), "Which metal is it?"),
        ("Orleans", ("New Orleans",), "Which city is it?"),
        ("New Yorkshire", ("New York",), "Which city is it?"),
        ("It was signed in Lincoln by Adams.", ("Abraham Lincoln", "Lincoln"), "Who signed it?"),
    ],
)
def test_other_names_are_wrong(text: str, answers: tuple[str, ...], question: str) -> None:
    assert scored(text, *answers, question=question).score == 0


def test_denied_and_hedged_answers_are_flagged() -> None:
    assert scored("Not Bern.").flags == (Flag.NEGATED,)
    assert scored("Bern or Rome").flags == (Flag.HEDGED,)
    assert scored("Rome").flags == ()


@pytest.mark.parametrize(
    "text",
    [
        "The answer is Rome. Bern is where I was born.",
        "Final answer: Rome\n\nBern is smaller.",
        "Rome\n\nUnlike Bern, it lies on the Tiber.",
        "**Rome**\n\nExplanation: Bern has fewer people.",
        r"Bern is nice. \boxed{Rome}",
        "<think>Bern, surely.</think>Rome",
    ],
)
def test_a_final_statement_outweighs_a_mention(text: str) -> None:
    assert scored(text).score == 0


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, as an AI I can't be sure, but the capital of Switzerland is Bern.",
        "I'm not sure, but I think it is Bern.",
        "The answer is simple. It is Bern.",
        "The answer: Bern.",
        "Answer:\n\n**Bern**",
    ],
)
def test_answers_after_an_apology_or_a_marker(text: str) -> None:
    assert scored(text).score == 1


def test_an_answer_that_is_only_thinking_is_unparsable() -> None:
    found = scored("<think>It must be Bern, but let me")
    assert (found.score, found.flags) == (0.0, (Flag.UNPARSABLE,))


@pytest.mark.parametrize("text", ["A baker's a person who bakes.", "In this town, a baker's indeed such a person."])
def test_a_contracted_verb_after_a_noun_is_no_possessive(text: str) -> None:
    row = {"answers": ["baker"], "answer_type": "word", "question": "What do we call a person who bakes bread?"}
    assert score_text({**row, "text": text}).score == 1
    assert score_text({**row, "text": "It is sold at the baker's shop."}).score == 0
