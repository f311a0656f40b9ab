"""A negation that an answer takes over from its question denies nothing, in the languages other than English."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.score_text import score_text

# Question, answer in its words, gold answer; the same question and denial about something else.
CASES = {
    "de": ("Was davon ist keine Frucht?", "{} ist keine Frucht.", "Was ist hart?", "{} ist kein Metall."),
    "fr": ("Lequel n'est pas un fruit ?", "{} n'est pas un fruit.", "Lequel est dur ?", "{} n'est pas un métal."),
    "es": ("¿Cuál no es una fruta?", "{} no es una fruta.", "¿Cuál es duro?", "{} no es un metal."),
    "it": ("Quale non è un frutto?", "{} non è un frutto.", "Quale è duro?", "{} non è un metallo."),
    "pt": ("Qual não é uma fruta?", "{} não é uma fruta.", "Qual é duro?", "{} não é um metal."),
    "zh": ("下列哪个不是水果？", "{}不是水果。", "下列哪个最硬？", "{}不是金属。"),
    "ko": (
        "다음 중 과일이 아닌 것은 무엇입니까?",
        "{}은 과일이 아닙니다.",
        "다음 중 단단한 것은 무엇입니까?",
        "{}은 금속이 아닙니다.",
    ),
}
CHOICES = {
    "de": ("Apfel", "Granit", "Birne"),
    "fr": ("pomme", "granit", "poire"),
    "es": ("manzana", "granito", "pera"),
    "it": ("mela", "granito", "pera"),
    "pt": ("maçã", "granito", "pera"),
    "zh": ("苹果", "花岗岩", "梨"),
    "ko": ("사과", "화강암", "배"),
}


def right(text: str, language: str, question: str, *, letter: bool = False) -> bool:
    choices = CHOICES[language]
    kind, gold = ("letter", "B") if letter else ("word", choices[1])
    row = {"text": text, "answers": [gold], "answer_type": kind, "question": question, "language": language}
    return score_text({**row, "choices": choices if letter else ()}).score == 1


@pytest.mark.parametrize("language", CASES)
def test_the_negation_of_the_question_is_no_denial(language: str) -> None:
    asked, answer, plain, other = CASES[language]
    name = CHOICES[language][1]
    assert right(answer.format(name), language, asked)
    assert right(answer.format(name), language, asked, letter=True)
    for question, text in ((plain, answer), (plain, other), (asked, other)):
        assert not right(text.format(name), language, question), (question, text)
        assert not right(text.format(name), language, question, letter=True), (question, text)


@pytest.mark.parametrize("language", ["de", "ko"])
def test_a_letter_with_the_negation_of_the_question(language: str) -> None:
    asked, answer, plain, _ = CASES[language]
    text = answer.format("B").replace("B은", "B는")
    assert right(text, language, asked, letter=True)
    assert not right(text, language, plain, letter=True)


def test_korean_denies_the_noun_before_the_negation() -> None:
    asked = CASES["ko"][0]
    assert not right("화강암이 아닙니다.", "ko", asked)
    assert right("화강암이 아니라 사과입니다.", "ko", asked) is False


@pytest.mark.parametrize(
    ("language", "question", "text"),
    [
        ("de", "Welche Stadt, die nicht am Meer liegt, ist die Hauptstadt?", "{} ist nicht die Hauptstadt."),
        ("de", "Heute ist kein Feiertag. Welche Stadt ist die Hauptstadt?", "{} ist nicht die Hauptstadt."),
        ("es", "¿Qué ciudad que no es la más grande es la capital?", "{} no es la capital."),
        ("fr", "Il ne fait pas chaud. Quelle est la capitale ?", "{} n'est pas la capitale."),
        ("zh", "今天不热。法国的首都是哪里？", "{}不是首都。"),
    ],
)
def test_a_negation_in_another_clause_of_the_question_is_a_denial(language: str, question: str, text: str) -> None:
    assert not right(text.format(CHOICES[language][1]), language, question)
