"""IFEval's verifiable instructions, each with a response that follows it and one that does not."""

import pytest

from omnigap_orchestrator.extras.named_benchmarks.ifeval import (
    AUDIBLE,
    CHECKS,
    Instruction,
    followed,
    follows,
    follows_loosely,
    read_instruction,
    sentences,
)

CASES: list[tuple[str, dict[str, object], str, str]] = [
    ("keywords:existence", {"keywords": ["sun", "moon"]}, "The Sun and the moon.", "The sun."),
    ("keywords:frequency", {"keyword": "sun", "frequency": 2, "relation": "at least"}, "Sun, sun!", "Sun."),
    ("keywords:frequency", {"keyword": "sun", "frequency": 2, "relation": "less than"}, "Sun.", "Sun, sun!"),
    ("keywords:forbidden_words", {"forbidden_words": ["sun"]}, "A sunny day.", "The Sun."),
    (
        "keywords:letter_frequency",
        {"letter": "E", "let_frequency": 2, "let_relation": "at least"},
        "Here we are.",
        "One day.",
    ),
    ("language:response_language", {"language": "ko"}, "안녕하세요", "Hello to you all"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "One. Two!", "Dr. One."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\nTwo", "One\n***\n\n***\nTwo"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "Two words", "Now three words"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "One.\n\nThen, two.",
        "Then.\n\nTwo.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] lives at [address]", "[name] lives"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\nP.S. Write!", "Bye. PS"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP. P.S Write!", "Bye. P.S."),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n- two", "* one\n* two\n* three"),
    ("detectable_format:constrained_response", {}, "My answer is yes.", "Yes."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and **two**", "*one* and two"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\nA\nSection 2\nB",
        "Section 1\nA",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "{a: 1}"),
    ("detectable_format:title", {}, "<<A title>>\nText", "<< >> Text"),
    ("combination:two_responses", {}, "One\n******\nTwo", "One\n******\nOne"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hello."}, "say hello. Hello!", "Hello! Say hello."),
    ("startend:end_checker", {"end_phrase": "Is that all?"}, "Yes. Is that all?", "Is that all? Yes."),
    ("startend:quotation", {}, '"Quoted."', '"Quoted" not.'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "LOUD and PROUD",
        "LOUD and proud",
    ),
    ("change_case:english_capital", {}, "ALL LOUD.", "Not All."),
    ("change_case:english_lowercase", {}, "all quiet.", "Not all."),
    ("punctuation:no_comma", {}, "None here.", "One, here."),
]


@pytest.mark.parametrize(("kind", "arguments", "good", "bad"), CASES)
def test_follows(kind: str, arguments: dict[str, object], good: str, bad: str) -> None:
    instruction = read_instruction(kind, arguments)
    assert follows(instruction, good)
    assert not follows(instruction, bad)
    assert not follows(instruction, "  ")


def test_all_ifeval_instructions_are_covered() -> None:
    assert len(CHECKS) == 25
    assert {case[0] for case in CASES} == set(CHECKS)
    assert set(CHECKS) > AUDIBLE


def test_null_arguments_are_ignored() -> None:
    instruction = read_instruction("punctuation:no_comma", {"num_words": None, "relation": None})
    assert instruction == Instruction("punctuation:no_comma")


def test_unknown_kind_or_relation_raises() -> None:
    with pytest.raises(ValueError, match="unknown instruction 'x:y'"):
        read_instruction("x:y", {})
    with pytest.raises(ValueError, match="'at most': must be"):
        read_instruction("length_constraints:number_words", {"num_words": 3, "relation": "at most"})


def test_loose_verdict_ignores_an_opening_line_and_asterisks() -> None:
    instruction = read_instruction("change_case:english_lowercase", {})
    assert follows_loosely(instruction, "Sure, here it is:\nall quiet here")
    assert not follows(instruction, "Sure, here it is:\nall quiet here")
    end = read_instruction("startend:end_checker", {"end_phrase": "the end"})
    assert follows_loosely(end, "It is *the end*")
    assert not follows_loosely(end, "It goes on")


def test_prompt_level_verdict_needs_all_instructions() -> None:
    both = [read_instruction("punctuation:no_comma", {}), read_instruction("change_case:english_lowercase", {})]
    assert followed(both, "all quiet").all
    half = followed(both, "No comma here")
    assert (half.each, half.all, half.share) == ((True, False), False, 0.5)


def test_sentences_are_not_split_after_titles_and_initials() -> None:
    assert sentences('Dr. King met J. R. Smith. "Why?" asked he. Nobody knew!') == [
        "Dr. King met J. R. Smith.",
        '"Why?',
        "asked he.",
        "Nobody knew!",
    ]
