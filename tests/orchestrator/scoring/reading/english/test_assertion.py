"""What an answer asserts, denies, leaves open or only mentions."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.scoring.reading.english.assertion import Stance, stance
from omnigap_orchestrator.scoring.reading.english.marked import find_marked, marked, sentences

_QUESTION = "which city is capital"


def stances(text: str, name: str = "bern") -> list[str]:
    ready = marked(text)
    return [stance(ready, start, end, _QUESTION).value for start, end in find_marked(ready, name)]


@pytest.mark.parametrize(
    "text",
    [
        "Bern",
        "It is Bern.",
        "It's not Rome, it's Bern.",
        "Not Rome but Bern.",
        "Bern, not Rome.",
        "Rome? No, Bern.",
        "Rome... no, sorry, Bern.",
        "Isn't it Bern?",
        "There is no doubt: Bern.",
        "Bern, without question.",
        "Not only old but also the seat of parliament: Bern.",
        "I'm not certain, but it is Bern.",
        "Bern, or as locals call it, the Federal City.",
        "Many say Rome, but it is Bern.",
        "Bern, Canton of Bern, Switzerland",
        "Unlike Rome, Bern is the seat.",
        "Bern is not far from the Alps.",
    ],
)
def test_asserted(text: str) -> None:
    assert "asserted" in stances(text)


@pytest.mark.parametrize(
    "text",
    [
        "Not Bern.",
        "It isn't Bern.",
        "It was never Bern.",
        "Bern is wrong.",
        "Bern was never the capital.",
        "Rome rather than Bern",
        "Neither Rome nor Bern",
        "I don't think it is Bern.",
        "Bern? No, Rome.",
        "Bern... no, sorry, Rome.",
        "Bern, I mean Rome.",
        "Bern, scratch that, Rome.",
        "Bern wait no Rome",
        "Many people say Bern, but the right answer is Rome.",
        "I first thought Bern, but it is Rome.",
        "It used to be Bern; now it is Rome.",
        "It was Bern until 1900, now it is Rome.",
        "Bern did not; Rome did.",
        "Anything but Bern",
    ],
)
def test_denied(text: str) -> None:
    assert set(stances(text)) == {"denied"}


@pytest.mark.parametrize(
    "text",
    [
        "Bern or Rome",
        "Rome or Bern",
        "Either Bern or Rome",
        "Bern, Rome, or Oslo",
        "Bern, Rome, Oslo, Paris",
        "Bern/Rome",
        "Bern. Or maybe Rome.",
        "Maybe Rome. Or Bern?",
        "Possible answers are Bern and Rome.",
        "It could be one of Bern and Rome.",
    ],
)
def test_hedged(text: str) -> None:
    assert set(stances(text)) == {"hedged"}


@pytest.mark.parametrize(
    "text", ["I can't say whether it is Bern", "Rome, which is like Bern", "Rome is older than Bern"]
)
def test_only_mentioned(text: str) -> None:
    assert set(stances(text)) == {"mentioned"}


def test_a_place_is_no_person() -> None:
    ready = marked("It was signed in Lincoln by Adams.")
    ((start, end),) = find_marked(ready, "lincoln")
    assert stance(ready, start, end, "who signed it") is Stance.MENTIONED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is in St. Petersburg. Yes.", ("It is in St. Petersburg.", "Yes.")),
        ("He met J. K. Smith. She left.", ("He met J. K. Smith.", "She left.")),
        ("It is 3.14. Really.", ("It is 3.14.", "Really.")),
        ("One\nTwo", ("One", "Two")),
        ("No. Bern.", ("No.", "Bern.")),
        ("是。不是。", ("是。", "不是。")),
    ],
)
def test_sentences(text: str, expected: tuple[str, ...]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Bern, the capital and seat of parliament.",
        "Bern, a small and quiet city which lies on the Aare.",
        "The seat is Bern, an old, quiet and small city.",
        "It's a city named Bern, a quiet and old place.",
        "Bern, the canton, city and seat of the government.",
        "Between 1848 and 1850, Bern became the capital.",
        "Between Basel and Lausanne lies Bern.",
        "In 1848, Zurich and then Bern were asked.",
    ],
)
def test_a_description_behind_a_comma_is_no_list(text: str) -> None:
    assert "asserted" in stances(text)


@pytest.mark.parametrize(
    "text",
    [
        "Bern, Basel and Chur",
        "Chur, Basel and Bern",
        "The candidates are Chur, the Hague and Bern.",
        "a Chur, a Basel and a Bern",
        "Bern, the Hague and Rome",
        "It was fought between Bern and Basel.",
        "It was fought between Basel's army and the forces of Bern.",
    ],
)
def test_each_place_in_a_list_is_open(text: str) -> None:
    assert set(stances(text)) == {"hedged"}


def test_the_two_of_a_question_are_not_left_open_by_it() -> None:
    ready = marked("It flows between Bern and Basel.")
    ((start, end),) = find_marked(ready, "bern and basel")
    assert stance(ready, start, end, "between which cities does it flow") is Stance.ASSERTED


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_place_in_a_list_makes_no_difference(order: int) -> None:
    others = ["Basel", "Chur", "Rome"]
    names = [*others[:order], "Bern", *others[order:]]
    for text in (f"{', '.join(names[:-1])} and {names[-1]}", f"It is {', '.join(names[:-1])}, and {names[-1]}."):
        assert set(stances(text)) == {"hedged"}, text


@pytest.mark.parametrize(
    "text",
    [
        "bern, the hague and rome",
        "bern, the moon and stars",
        "Bern, the moon and stars",
        "A bern, a big dog and small horse",
        "Rome, the hague and bern",
    ],
)
def test_a_list_with_articles_stays_a_list(text: str) -> None:
    assert stances(text) == ["hedged"]


@pytest.mark.parametrize(
    "text",
    [
        "Bern, a calm and old place",
        "It is Bern, a capital and seat",
        "Bern, a Swiss town and seat",
        "Bern, the seat and oldest town",
    ],
)
def test_a_description_behind_a_name_is_no_list(text: str) -> None:
    assert stances(text) == ["asserted"]


def test_both_of_between_are_an_answer() -> None:
    text = "It lies between Bern and Rome and is wide."
    assert stances(text, "bern and rome") == ["asserted"]
    assert stances(text) == stances(text, "rome") == ["hedged"]
