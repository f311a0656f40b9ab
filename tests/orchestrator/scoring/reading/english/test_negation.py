"""A negation that an answer takes over from its question denies nothing; every other one still does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_orchestrator.score_text import ScoredText, score_text

NAMES = ("granite", "copper", "velvet", "oxygen", "falcon", "walnut")
NOUNS = ("fruit", "planet", "metal", "mammal", "river", "language")
names = st.sampled_from(NAMES)
nouns = st.sampled_from(NOUNS)
# What says that something is no NOUN, and what asks for it.
PREDICATES = ("is not a {noun}", "isn't a {noun}", "is not really a {noun}", "was never a {noun}")
ASKS = ("Which of these {predicate}?", "What {predicate}?", "Which thing {predicate}, and is found in houses?")


def read(text: str, gold: str, question: str, choices: tuple[str, ...] = ()) -> ScoredText:
    answers = [gold] if not choices else ["ABCDEF"[choices.index(gold)]]
    kind = "letter" if choices else "word"
    return score_text({"text": text, "answers": answers, "answer_type": kind, "question": question, "choices": choices})


@settings(deadline=None)
@given(names, nouns, st.sampled_from(PREDICATES), st.sampled_from(PREDICATES), st.sampled_from(ASKS))
def test_the_negation_of_the_question_is_no_denial(gold: str, noun: str, said: str, asked: str, question: str) -> None:
    wanted = question.format(predicate=asked.format(noun=noun))
    name = gold.capitalize()
    for text in (
        f"{name} {said.format(noun=noun)}.",
        f"{name} {said.format(noun=noun)}, since it is too hard to eat.",
        f"{name} is not.",
        f"The one that {said.format(noun=noun)} would be {gold}.",
        f"It is {gold}, which {said.format(noun=noun)}.",
    ):
        assert read(text, gold, wanted).score == 1, text


@settings(deadline=None)
@given(names, nouns, nouns, st.sampled_from(PREDICATES), st.sampled_from(ASKS))
def test_a_negation_of_something_else_is_a_denial(gold: str, noun: str, other: str, said: str, question: str) -> None:
    plain = question.format(predicate=f"is a {noun}")
    denied = f"{gold.capitalize()} {said.format(noun=noun)}."
    assert read(denied, gold, plain).score == 0
    assert read(f"It is not {gold}.", gold, question.format(predicate=f"is not a {noun}")).score == 0
    if other != noun:
        wanted = question.format(predicate=f"is not a {noun}")
        assert read(f"{gold.capitalize()} {said.format(noun=other)}.", gold, wanted).score == 0


@settings(deadline=None)
@given(st.permutations(NAMES), nouns, st.integers(1, 5), st.booleans())
def test_letters_follow_the_same_rule(order: list[str], noun: str, place: int, by_letter: bool) -> None:
    choices = tuple(order)
    gold, letter = choices[place], "ABCDEF"[place]
    text = f"{letter if by_letter else gold.capitalize()} is not a {noun}."
    assert read(text, gold, f"Which of these is not a {noun}?", choices).parsed == letter
    assert read(text, gold, f"Which of these is a {noun}?", choices).parsed is None


@pytest.mark.parametrize(
    "text",
    [
        "The opposite of strong would be weak.",
        "The opposite of strong means weak",
        "the opposite of strong as weak.",
        "I'd say the opposite of strong has to be weak.",
        "The opposite of strawng is weak.",
        "The opposite of strung has weak.",
        "Opposite of strong: weak",
    ],
)
def test_opposites(text: str) -> None:
    assert read(text, "weak", "What is the opposite of strong?").score == 1
    denied = ":" not in text and " is " not in text
    assert read(text, "weak", "Which of these words describes a lion?").score == (0 if denied else 1)
    assert read("Weak is wrong.", "weak", "What is the opposite of strong?").score == 0
    assert read("The opposite of weak.", "weak", "What is the opposite of strong?").score == 0


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Without which gas can fire not burn?", "Without oxygen, fire can't burn."),
        ("Without which gas can fire not burn?", "Fire can't burn without oxygen."),
        ("Which gas is not visible but needed for breathing?", "Oxygen is not visible."),
        ("Which of these claims is false, oxygen or helium?", "Oxygen is false."),
        ("Which of the gases is wrong here?", "Oxygen is wrong here."),
    ],
)
def test_other_negations_of_a_question(question: str, text: str) -> None:
    assert read(text, "oxygen", question).score == 1
    assert read(text, "oxygen", "Which gas do people breathe?").score == 0


@pytest.mark.parametrize(
    "verb", ["was actually written", "is really painted", "was in fact made", "were actually composed"]
)
def test_what_was_actually_by_another_is_not_by_the_first(verb: str) -> None:
    row = {"answers": ["Arthur Doyle", "Doyle"], "answer_type": "entity", "question": "Who created the detective?"}
    for name, right in (("Arthur Doyle", 0), ("Jane Smith", 1)):
        other = "Jane Smith" if name == "Arthur Doyle" else "Arthur Doyle"
        assert score_text({**row, "text": f"The detective by {name} {verb} by {other}."}).score == right
    for said in ("popular", "inspired by Jane Smith", "owned by Jane Smith", "played by Jane Smith"):
        assert score_text({**row, "text": f"The detective by Arthur Doyle was actually {said}."}).score == 1, said


@pytest.mark.parametrize(
    ("question", "text"),
    [
        # What is negated before the question, or in another clause of it.
        ("It is not hot today. Which city is the capital of France?", "Oxygen is not the capital."),
        ("It's not hot in the capital of France. Which city is the capital?", "Oxygen is not the capital."),
        ("Tom does not like wine. Which drink does he like?", "He doesn't like oxygen."),
        ("Tom, who does not eat meat, eats cheese. What does he eat?", "He does not eat oxygen."),
        ("If it is not sunny, what do you need?", "You do not need oxygen."),
        ("Which city that is not the largest is the capital?", "Oxygen is not the capital."),
        ("Which animal is not a mammal but lays eggs?", "Oxygen does not lay eggs."),
        ("Which bird does not fly and swims well?", "Oxygen does not swim well."),
        ("Who said no?", "Oxygen did not."),
        # Another negation than that of the question.
        ("Without which gas can fire not burn?", "It is not oxygen."),
        ("What is the opposite of strong?", "The opposite of strong is not oxygen."),
        ("Which of these is not a fruit?", "This is not a fruit not oxygen."),
    ],
)
def test_a_negation_in_another_clause_of_the_question_is_a_denial(question: str, text: str) -> None:
    assert read(text, "oxygen", question).score == 0


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Which city that is not the largest is the capital?", "Oxygen is not the largest."),
        ("Which bird does not fly and swims well?", "Oxygen does not fly."),
        ("Name something that is not a fruit.", "Oxygen is not a fruit."),
        ("All of these are fruits except which one?", "All are fruits except oxygen."),
        ("What do people use instead of sugar?", "Instead of sugar they use oxygen."),
        ("Which is neither a fruit nor a nut?", "Oxygen is not a nut."),
    ],
)
def test_what_the_negation_of_the_question_reaches(question: str, text: str) -> None:
    assert read(text, "oxygen", question).score == 1
