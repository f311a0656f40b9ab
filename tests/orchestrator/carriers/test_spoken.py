"""What a voice is given to read: sentences, without what is written but not said."""

import pytest

from omnigap.vocabulary import CHOICE_LETTERS, AnswerType
from omnigap_orchestrator.carriers import CarrierError, speech_carrier_key, spoken_text
from omnigap_orchestrator.items import Item, load_items


def item(question: str, *choices: str) -> Item:
    return Item("q", "t", "en", question, ("A",), AnswerType.LETTER, choices=choices)


@pytest.mark.parametrize(
    ("question", "choices", "said"),
    [
        ("Which city?", ("Paris", "Rome"), "Which city? A: Paris. B: Rome."),
        ("Name the city", ("Paris.", "Rome!"), "Name the city. A: Paris. B: Rome!"),
        ("Read this\n\nIs it   true?", (), "Read this. Is it true?"),
        ("The sky is ____.", (), "The sky is blank."),
        ("The sky is ____ today.", (), "The sky is blank today."),
        ("# Task\n- Say **this** `word`", (), "Task. Say this word"),
        ("What is 3 * 4?", (), "What is 3 * 4?"),
        ("Where is it?", ("line one\nline two",), "Where is it? A: line one. line two."),
    ],
)
def test_a_question_is_read_as_sentences(question: str, choices: tuple[str, ...], said: str) -> None:
    assert spoken_text(item(question, *choices)) == said


def test_a_question_without_anything_to_say_is_named() -> None:
    with pytest.raises(CarrierError, match=r"item 'q': the question '\?!' holds nothing that can be said"):
        spoken_text(item("?!"))


def test_every_built_in_question_is_read_as_it_is_written() -> None:
    for built_in in load_items():
        choices = (f"{letter}: {choice}." for letter, choice in zip(CHOICE_LETTERS, built_in.choices, strict=False))
        assert spoken_text(built_in) == " ".join([built_in.question, *choices])


def test_the_key_of_speech_follows_text_voice_rate_and_service() -> None:
    base = speech_carrier_key("a", "v", 150, "d")
    assert base == speech_carrier_key("a", "v", 150.0, "d")
    others = {
        speech_carrier_key("b", "v", 150, "d"),
        speech_carrier_key("a", "w", 150, "d"),
        speech_carrier_key("a", None, 150, "d"),
        speech_carrier_key("a", "v", None, "d"),
        speech_carrier_key("a", "v", 150, "e"),
    }
    assert len(others) == 5
    assert base not in others
