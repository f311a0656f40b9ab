"""Refusals and answers in another script are told from attempts to answer."""

import pytest

from omnigap_orchestrator.scoring import is_refusal, wrong_language


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "i do not know",
        "Sorry, I don't know the answer to that.",
        "I'm sorry, but I can't help with that.",
        "I am unable to see the image.",
        "I cannot hear any audio.",
        "I'm not sure.",
        "I have no idea.",
        "No idea",
        "As an AI language model, I cannot listen to audio.",
        "There is no image.",
        "Please provide the audio file.",
        "Could you please repeat the question?",
        "It is not possible to determine that.",
        "Unfortunately, I can't answer this question.",
        "I didn't catch that.",
        "Unknown.",
    ],
)
def test_refusals_and_honest_ignorance_are_seen(text: str) -> None:
    assert is_refusal(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "I'm not sure, but I think it is Paris.",
        "I don't know for certain, but it is Paris",
        "I don't know, maybe Paris?",
        "I know that it is Paris",
        "He said that he did not know.",
        "The Unknown Soldier",
        "no",
        "",
        "There is no planet closer to the sun than Mercury",
        "Canterbury",
        "please",
    ],
)
def test_attempts_are_not_refusals(text: str) -> None:
    assert not is_refusal(text, "en")


@pytest.mark.parametrize(
    "text", ["모르겠습니다.", "잘 모르겠어요", "죄송하지만 답변할 수 없습니다", "이미지를 볼 수 없습니다."]
)
def test_korean_refusals_are_seen(text: str) -> None:
    assert is_refusal(text, "ko")


@pytest.mark.parametrize("text", ["서울", "정답은 서울입니다.", "잘 모르겠지만 아마 서울일 것입니다."])
def test_korean_attempts_are_not_refusals(text: str) -> None:
    assert not is_refusal(text, "ko-KR")


@pytest.mark.parametrize(
    ("text", "language", "wrong"),
    [
        ("Paris", "en", False),
        ("naïve café", "en", False),
        ("1969", "en", False),
        ("", "en", False),
        ("巴黎", "en", True),
        ("답은 파리입니다", "en", True),
        ("Париж", "en", True),
        ("Tokyo (東京)", "en", False),
        ("서울", "ko", False),
        ("NASA", "ko", False),
        ("The answer is the city of Seoul", "ko", True),
        ("정답은 NASA입니다", "ko-KR", False),
        ("東京です", "ja", False),
        ("東京", "zh", False),
        ("とうきょうですよ", "zh", True),
        ("Die Antwort ist Köln", "de", False),
    ],
)
def test_the_script_tells_a_foreign_answer(text: str, language: str, wrong: bool) -> None:
    assert wrong_language(text, language) is wrong
