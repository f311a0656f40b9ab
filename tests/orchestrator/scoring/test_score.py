"""An item and an answer give a score: by answer type, on the built-in items, and with the traps of published tools."""

import dataclasses
import json
from pathlib import Path

import pytest

import omnigap_orchestrator.items.builtin as builtin
from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import known_metrics, metric_for, score


def item(gold: str, answer_type: AnswerType, *aliases: str, question: str = "?", choices: tuple[str, ...] = ()) -> Item:
    return Item("i", "t", "en", question, (gold, *aliases), answer_type, choices)


def builtin_items() -> list[Item]:
    rows = [
        json.loads(line)
        for path in sorted(Path(builtin.__path__[0]).glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [
        Item(
            row["id"],
            row["task"],
            row["language"],
            row["question"],
            tuple(row["answers"]),
            AnswerType(row["answer_type"]),
            tuple(row.get("choices", ())),
        )
        for row in rows
    ]


ITEMS = builtin_items()


@pytest.mark.parametrize("frame", ["{}", "{}.", "The answer is {}.", "It is {}.", "I think it's {}"])
def test_every_gold_answer_of_the_builtin_items_is_right_bare_and_in_a_sentence(frame: str) -> None:
    wrong = [(each.id, gold) for each in ITEMS for gold in each.answers if score(each, frame.format(gold)).score != 1]
    assert not wrong


def test_the_gold_answers_of_other_items_are_wrong() -> None:
    hits = [
        (each.question, other.answers[0])
        for each in ITEMS
        for other in ITEMS
        if (each.task, each.answer_type) == (other.task, other.answer_type)
        and not {a.lower() for a in each.answers} & {a.lower() for a in other.answers}
        and score(each, other.answers[0]).score
    ]
    # February 14 does name a month.
    assert hits == [("What is the shortest month of the year?", "February 14")]


def test_a_right_choice_may_be_given_as_letter_name_or_text() -> None:
    for each in ITEMS:
        if each.choices:
            letter = each.answers[0]
            text = each.choices["ABCD".index(letter)]
            for answer in (letter, letter.lower(), f"{letter}. {text}", f"{letter}, {text}", text, f"Option {letter}"):
                assert score(each, answer).score == 1, (each.id, answer)


def test_every_answer_type_has_its_metric() -> None:
    assert {metric_for(answer_type) for answer_type in AnswerType} <= set(known_metrics())
    assert metric_for(AnswerType.ENTITY) == metric_for(AnswerType.PHRASE) == "containment"


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown metric 'bleu': one of containment"):
        score(item("Paris", AnswerType.ENTITY), "Paris", metric="bleu")


def test_another_metric_can_be_asked_for() -> None:
    each = item("Paris", AnswerType.ENTITY)
    assert score(each, "city of Paris", metric="exact").score == 0
    assert score(each, "city of Paris", metric="f1").score == pytest.approx(0.5)
    assert score(each, "city of Paris").metric == "containment"


def test_an_unparsable_choice_is_wrong_and_flagged() -> None:
    each = item("B", AnswerType.LETTER, choices=("Mars", "Jupiter", "Venus", "Earth"))
    for answer in ("", "none", "A or B", "Saturn"):
        scored = score(each, answer)
        assert (scored.score, scored.parsed, scored.flags) == (0.0, None, (Flag.UNPARSABLE,))
    assert score(each, "C").flags == ()


def test_a_gold_that_is_a_choices_text_means_its_letter() -> None:
    each = item("Jupiter", AnswerType.LETTER, choices=("Mars", "Jupiter"))
    assert score(each, "B").score == 1
    assert score(each, "A").score == 0


def test_a_refusal_scores_nothing_and_is_flagged() -> None:
    for answer_type, gold in ((AnswerType.ENTITY, "Paris"), (AnswerType.LETTER, "I"), (AnswerType.NUMBER, "1")):
        scored = score(item(gold, answer_type), "I don't know.")
        assert (scored.score, scored.flags) == (0.0, (Flag.REFUSED,))


def test_a_refusal_that_is_the_gold_answer_is_right() -> None:
    assert score(item("unknown", AnswerType.WORD), "Unknown.").score == 1


def test_an_empty_answer_is_wrong() -> None:
    for answer_type in AnswerType:
        assert score(item("B", answer_type), "").score == 0


def test_a_wrong_transcript_is_wrong_however_alike_it_sounds() -> None:
    assert score(item("Thames", AnswerType.ENTITY), "Tems").score == 0
    assert score(item("13", AnswerType.NUMBER), "thirty").score == 0
    assert score(item("Seine", AnswerType.ENTITY), "sane").score == 0


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("Henry VIII", "Henry the Eighth"),
        ("Henry the Eighth", "Henry VIII"),
        ("Elizabeth II", "Queen Elizabeth the second"),
        ("Rocky II", "Rocky two"),
        ("Elizabeth I", "Elizabeth the first"),
        ("World War I", "the first world war"),
        ("J. R. R. Tolkien", "J R R Tolkien"),
        ("Beyoncé", "beyonce"),
    ],
)
def test_names_that_are_said_otherwise_than_written_are_right(gold: str, answer: str) -> None:
    assert score(item(gold, AnswerType.ENTITY), answer).score == 1


def test_two_kings_stay_apart() -> None:
    assert score(item("Henry VIII", AnswerType.ENTITY), "Henry the Seventh").score == 0
    assert score(item("Henry VIII", AnswerType.ENTITY), "Henry").score == 0


def test_labels_come_from_the_choices() -> None:
    each = item("happy", AnswerType.LABEL, choices=("happy", "sad", "angry"))
    assert score(each, "The speaker sounds happy.").score == 1
    both = score(each, "happy or sad")
    assert (both.score, both.flags) == (0.0, (Flag.UNPARSABLE,))


def test_a_number_answer_without_a_number_is_unparsable() -> None:
    assert score(item("12", AnswerType.NUMBER), "several").flags == (Flag.UNPARSABLE,)


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        (item("3", AnswerType.NUMBER), ("3", "Three.", "There are three dots.")),
        (item("B", AnswerType.LETTER, choices=("Mars", "Jupiter")), ("B", "Option B.", "bee", "Jupiter")),
        (item("October 31", AnswerType.DATE), ("October 31", "October thirty-first", "the 31st of October")),
        (item("yes", AnswerType.LABEL, choices=("yes", "no")), ("Yes", "yes.", "The answer is yes.")),
        (item("8", AnswerType.WORD), ("8", "eight")),
    ],
)
def test_what_means_the_same_is_compared_in_one_form(asked: Item, answers: tuple[str, ...]) -> None:
    assert len({score(asked, answer).comparable for answer in answers}) == 1


def test_different_wrong_answers_and_different_words_for_a_gold_answer_stay_apart() -> None:
    paris = item("Paris", AnswerType.ENTITY)
    forms = [score(paris, answer).comparable for answer in ("Paris", "It is Paris", "Lyon", "Lille", "I don't know")]
    assert len(set(forms)) == 5
    three = item("3", AnswerType.NUMBER)
    assert score(three, "four").comparable != score(three, "five").comparable


def test_the_result_is_immutable_and_shows_what_was_compared() -> None:
    scored = score(item("Paris", AnswerType.ENTITY), "It's Paris!")
    assert (scored.answer, scored.parsed) == ("it is paris", "paris")
    with pytest.raises(dataclasses.FrozenInstanceError):
        scored.score = 0.0  # type: ignore[misc]
