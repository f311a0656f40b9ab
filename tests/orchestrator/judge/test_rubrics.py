"""Rubrics: the shipped ones, other people's prompts, invalid ones, and judge prompts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import ConfigError, JudgeConfig, load_config
from omnigap_orchestrator.config.sections import RUBRICS
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.judge import SHIPPED, RubricError, combine_votes, judge_setup, read_rubric, rubric_of

ITEM = Item("q", "chat", "en", "Who {answer}?", ("Ann", "Anna"), AnswerType.OPEN, instruction="Be short.")


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_rubric_shows_question_and_answer_and_says_what_it_wants(name: str) -> None:
    rubric = read_rubric(name)
    render = rubric.render("Why?", "Because.", "So.")
    assert "Why?" in render and "Because." in render
    assert ("So." in render) == (name != "helpful")
    assert rubric.scale in ("1 to 5", "no or yes")
    assert "{" not in render


def test_configuration_and_files_name_the_same_rubrics() -> None:
    assert RUBRICS == SHIPPED


def test_a_plain_text_is_a_prompt_on_a_scale_of_five(tmp_path: Path) -> None:
    rubric = read_rubric(write(tmp_path / "theirs.txt", "Rate.\n[Instruction]: {prompt}\n[Response]: {response}\n"))
    assert rubric.render("Why?", "Because.", "") == "Rate.\n[Instruction]: Why?\n[Response]: Because."
    assert (rubric.name, rubric.low, rubric.high, rubric.labels) == ("theirs", 1, 5, None)


def test_braces_in_a_question_or_an_answer_stay_what_they_are() -> None:
    rubric = rubric_of("r", "Q {question} A {answer} R {reference} {other}", ".txt")
    assert rubric.render("{answer}", "{reference}", "x") == "Q {answer} A {reference} R x {other}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('prompt = "Rate {question}"', "no {answer}"),
        ('prompt = "{answer}"\nlow = 5.0\nhigh = 1.0', "high must be above low"),
        ('prompt = "{answer}"\n[labels]\nyes = 2.0', "labels.yes: 2 lies outside [0, 1]"),
        ('prompt = "{answer}"\nscale = 5', "unknown key 'scale'"),
        ("prompt = {", "is no TOML"),
    ],
)
def test_a_rubric_that_cannot_judge_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RubricError) as error:
        read_rubric(write(tmp_path / "mine.toml", text))
    assert said in str(error.value) and "mine" in str(error.value)


def test_a_missing_file_is_named_with_its_section(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match=r"gone\.toml can't be read .*\[judge\]"):
        read_rubric(str(tmp_path / "gone.toml"))


def test_the_digest_follows_what_a_judge_is_told_and_what_its_words_mean() -> None:
    rubric = read_rubric("helpful")
    assert replace(rubric, name="other", source="").digest == rubric.digest
    changed = [replace(rubric, prompt="x {answer}"), replace(rubric, high=10.0), replace(rubric, system="")]
    assert len({rubric.digest, *(other.digest for other in changed)}) == 4


def test_the_configuration_takes_names_and_files_and_is_cold_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[judge]\nrubric = "mine.txt"\n[judge.decoding]\nmax_new_tokens = 8\n')
    judge = load_config(path).judge
    assert judge is not None
    assert judge.rubric == str(tmp_path.absolute() / "mine.txt")
    assert (judge.reference_rubric, judge.decoding.temperature, judge.decoding.max_new_tokens) == ("graded", 0.0, 8)
    path.write_text('[judge]\nrubric = "helpfull"\n')
    with pytest.raises(ConfigError, match=r"judge.rubric: .*did you mean 'helpful'\?; or give a file that ends in"):
        load_config(path)
    path.write_text('[scoring]\npreset = "voicebnch"\n')
    with pytest.raises(ConfigError, match=r"scoring.preset: .*did you mean 'voicebench'"):
        load_config(path)
    path.write_text('[scoring.tasks]\nchat = "juge"\n')
    with pytest.raises(ConfigError, match=r"scoring.tasks: .*chat: .*did you mean 'judge'"):
        load_config(path)


def test_items_with_gold_answers_get_the_rubric_that_compares() -> None:
    setup = judge_setup(JudgeConfig(), "d", (read_rubric("helpful"), read_rubric("graded")))
    (ask,) = setup.prompts(ITEM, "It was Ann")
    assert "<reference>\nAnn\nAnna\n</reference>" in ask.prompt
    assert "Who {answer}?\nBe short." in ask.prompt
    (without,) = setup.prompts(replace(ITEM, answers=()), "It was Ann")
    assert "reference" not in without.prompt


def test_every_vote_and_every_judge_has_a_key_of_its_own() -> None:
    rubrics = (read_rubric("helpful"), read_rubric("graded"))
    keys = [ask.key for ask in judge_setup(JudgeConfig(votes=3), "d", rubrics).prompts(ITEM, "Ann")]
    keys += [ask.key for ask in judge_setup(JudgeConfig(), "other", rubrics).prompts(ITEM, "Ann")]
    keys += [ask.key for ask in judge_setup(JudgeConfig(), "d", rubrics[::-1]).prompts(ITEM, "Ann")]
    assert len(set(keys)) == 5
    # A single vote's verdict serves as the first of three.
    assert judge_setup(JudgeConfig(), "d", rubrics).prompts(ITEM, "Ann")[0].key == keys[0]


def test_votes_are_averaged_and_labels_are_decided_by_the_majority() -> None:
    five, yes = read_rubric("helpful"), read_rubric("agrees")
    assert combine_votes(five, [(4.0, 0.75), (5.0, 1.0), (3.0, 0.5)]).rating == 4
    assert combine_votes(five, [(4.0, 0.75), (5.0, 1.0)]).score == 0.875
    assert combine_votes(yes, [(None, 1.0), (None, 0.0), (None, 1.0)]).score == 1
    assert combine_votes(yes, [(None, 1.0), (None, 0.0)]).score == 0
