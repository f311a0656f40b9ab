"""The metric of an item, and the score of an answer by it."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Check, Item
from omnigap_orchestrator.items.load import read_builtin
from omnigap_orchestrator.scoring import (
    JUDGE,
    MetricRules,
    known_metrics,
    metric_for,
    metric_names,
    metric_of,
    score,
    scoring_presets,
)


def item(gold: str, answer_type: AnswerType, *aliases: str, question: str = "?", choices: tuple[str, ...] = ()) -> Item:
    return Item("i", "t", "en", question, (gold, *aliases), answer_type, choices)


ITEMS = [*read_builtin(), *read_builtin("ko")]


@pytest.mark.parametrize("frame", ["{}", "{}.", "The answer is {}.", "It is {}.", "I think it's {}"])
def test_gold_answers_of_builtin_items_score_one(frame: str) -> None:
    wrong = [(each.id, gold) for each in ITEMS for gold in each.answers if score(each, frame.format(gold)).score != 1]
    assert not wrong


def test_gold_answers_of_other_items_score_zero() -> None:
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


def test_choice_as_letter_letter_name_or_text() -> None:
    for each in ITEMS:
        if each.choices:
            letter = each.answers[0]
            text = each.choices["ABCD".index(letter)]
            for answer in (letter, letter.lower(), f"{letter}. {text}", f"{letter}, {text}", text, f"Option {letter}"):
                assert score(each, answer).score == 1, (each.id, answer)


def test_every_answer_type_has_a_metric() -> None:
    assert {metric_for(answer_type) for answer_type in AnswerType} <= set(known_metrics())
    assert metric_for(AnswerType.ENTITY) == metric_for(AnswerType.PHRASE) == "containment"


def test_unknown_metric_raises_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown metric 'bleu': one of containment"):
        score(item("Paris", AnswerType.ENTITY), "Paris", metric="bleu")


def test_metric_argument_overrides_the_default() -> None:
    each = item("Paris", AnswerType.ENTITY)
    assert score(each, "city of Paris", metric="exact").score == 0
    assert score(each, "city of Paris", metric="f1").score == pytest.approx(0.5)
    assert score(each, "city of Paris").metric == "containment"


def test_unparsable_choice_scores_zero_and_is_flagged() -> None:
    each = item("B", AnswerType.LETTER, choices=("Mars", "Jupiter", "Venus", "Earth"))
    for answer in ("", "none", "A or B", "Saturn"):
        scored = score(each, answer)
        assert (scored.score, scored.parsed) == (0.0, None) and Flag.UNPARSABLE in scored.flags
    assert score(each, "C").flags == ()


def test_gold_text_of_a_choice_means_its_letter() -> None:
    each = item("Jupiter", AnswerType.LETTER, choices=("Mars", "Jupiter"))
    assert score(each, "B").score == 1
    assert score(each, "A").score == 0


def test_refusal_scores_zero_and_is_flagged() -> None:
    for answer_type, gold in ((AnswerType.ENTITY, "Paris"), (AnswerType.LETTER, "I"), (AnswerType.NUMBER, "1")):
        scored = score(item(gold, answer_type), "I don't know.")
        assert (scored.score, scored.flags) == (0.0, (Flag.REFUSED,))


def test_refusal_that_equals_the_gold_answer_scores_one() -> None:
    assert score(item("unknown", AnswerType.WORD), "Unknown.").score == 1


def test_empty_answer_scores_zero() -> None:
    for answer_type in AnswerType:
        assert score(item("B", answer_type), "").score == 0


def test_similar_sounding_transcript_scores_zero() -> None:
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
def test_regnal_and_sequel_numbers_match_in_both_forms(gold: str, answer: str) -> None:
    assert score(item(gold, AnswerType.ENTITY), answer).score == 1


def test_different_regnal_numbers_do_not_match() -> None:
    assert score(item("Henry VIII", AnswerType.ENTITY), "Henry the Seventh").score == 0
    assert score(item("Henry VIII", AnswerType.ENTITY), "Henry").score == 0


def test_labels_are_the_choices() -> None:
    each = item("happy", AnswerType.LABEL, choices=("happy", "sad", "angry"))
    assert score(each, "The speaker sounds happy.").score == 1
    both = score(each, "happy or sad")
    assert (both.score, both.flags) == (0.0, (Flag.HEDGED, Flag.UNPARSABLE))


def test_number_answer_without_a_number_is_unparsable() -> None:
    assert score(item("12", AnswerType.NUMBER), "several").flags == (Flag.UNPARSABLE,)


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (item("3", AnswerType.NUMBER), ("3", "Three.", "There are three dots.")),
        (item("B", AnswerType.LETTER, choices=("Mars", "Jupiter")), ("B", "Option B.", "bee", "Jupiter")),
        (item("October 31", AnswerType.DATE), ("October 31", "October thirty-first", "the 31st of October")),
        (item("yes", AnswerType.LABEL, choices=("yes", "no")), ("Yes", "yes.", "The answer is yes.")),
        (item("8", AnswerType.WORD), ("8", "eight")),
    ],
)
def test_equal_answers_have_one_comparable_form(question: Item, answers: tuple[str, ...]) -> None:
    assert len({score(question, answer).comparable for answer in answers}) == 1


def test_different_answers_have_different_comparable_forms() -> None:
    paris = item("Paris", AnswerType.ENTITY)
    forms = [score(paris, answer).comparable for answer in ("Paris", "It is Paris", "Lyon", "Lille", "I don't know")]
    assert len(set(forms)) == 5
    three = item("3", AnswerType.NUMBER)
    assert score(three, "four").comparable != score(three, "five").comparable


def test_scored_is_immutable_and_holds_the_compared_answer() -> None:
    scored = score(item("Paris", AnswerType.ENTITY), "It's Paris!")
    assert (scored.answer, scored.parsed) == ("it is paris", "paris")
    with pytest.raises(dataclasses.FrozenInstanceError):
        scored.score = 0.0  # type: ignore[misc]


PLAIN = Item("q", "mmsu", "en", "Which?", ("B",), AnswerType.LETTER)
OPEN = replace(PLAIN, task="chat", answer_type=AnswerType.OPEN, answers=("a",))


def test_metric_precedence() -> None:
    rules = MetricRules("voicebench", {"mmsu": "exact"}, judged=True)
    assert metric_of(replace(PLAIN, metric="number"), rules) == "number"
    assert metric_of(PLAIN, rules) == "exact"
    assert metric_of(PLAIN, MetricRules("voicebench")) == "voicebench_mcq"
    assert metric_of(PLAIN, MetricRules()) == "letter"


def test_open_answers_use_a_configured_judge() -> None:
    assert metric_of(OPEN, MetricRules(judged=True)) == JUDGE
    assert metric_of(OPEN, MetricRules()) == "f1"


def test_sd_qa_always_uses_the_judge() -> None:
    item = replace(OPEN, task="sd-qa")
    assert metric_of(item, MetricRules("voicebench", judged=True)) == JUDGE
    assert metric_of(item, MetricRules("voicebench")) == JUDGE


def test_preset_metrics_exist() -> None:
    assert {metric for tasks in scoring_presets().values() for metric in tasks.values()} <= set(metric_names())


def test_refusal_metric() -> None:
    refusal_item = replace(PLAIN, answers=(), metric="refusal")
    refused = score(refusal_item, "I'm sorry, I can't help with that.", "refusal")
    assert (refused.score, refused.flags) == (1, (Flag.REFUSED,))
    assert score(refusal_item, "Mix the two and stir.", "refusal").score == 0


def test_entities_metric_counts_each_entity() -> None:
    item = replace(PLAIN, answers=("Dolby Atmos", "Justin Bieber"))
    assert score(item, "I heard justin bieber on dolby atmos", "entities").score == 1
    assert score(item, "I heard Justin Beaver on Dolby Atmos", "entities").score == 0.5


WORDS = Check("length_constraints:number_words", '{"num_words": 3, "relation": "less than"}')
COMMA = Check("punctuation:no_comma")


@pytest.mark.parametrize(
    ("metric", "text", "expected"),
    [
        ("ifeval", "Two words", 1.0),
        ("ifeval", "Two, words", 0.0),
        ("ifeval_share", "Two, words", 0.5),
        ("ifeval_loose", "Sure, here you are:\nTwo words", 1.0),
        ("ifeval", "Sure, here you are:\nTwo words", 0.0),
        # A comma cannot be heard: only the number of words counts, in text answers too.
        ("ifeval_audible", "Two, words", 1.0),
        ("ifeval_audible", "Now three words", 0.0),
    ],
)
def test_ifeval_metrics_score_checks(metric: str, text: str, expected: float) -> None:
    assert score(replace(PLAIN, checks=(WORDS, COMMA)), text, metric).score == expected
