"""Rubrics: shipped ones, custom prompts, and invalid ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from omnigap_orchestrator.config import ConfigError, load_config
from omnigap_orchestrator.config.sections import RUBRICS
from omnigap_orchestrator.judge import SHIPPED, RubricError, read_rubric, rubric_of


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_rubrics_fill_in_all_texts(name: str) -> None:
    rubric = read_rubric(name)
    prompt = rubric.render("Why?", "Because.", "So.")
    assert "Why?" in prompt and "Because." in prompt
    assert ("So." in prompt) == (name != "helpful")
    assert rubric.scale in ("1 to 5", "no or yes")
    assert "{" not in prompt


def test_configuration_lists_the_shipped_rubrics() -> None:
    assert RUBRICS == SHIPPED


def test_plain_text_file_is_a_prompt_with_a_scale_of_five(tmp_path: Path) -> None:
    rubric = read_rubric(write(tmp_path / "theirs.txt", "Rate.\n[Instruction]: {prompt}\n[Response]: {response}\n"))
    assert rubric.render("Why?", "Because.", "") == "Rate.\n[Instruction]: Why?\n[Response]: Because."
    assert (rubric.name, rubric.low, rubric.high, rubric.labels) == ("theirs", 1, 5, None)


def test_braces_in_texts_are_not_expanded() -> None:
    rubric = rubric_of("r", "Q {question} A {answer} R {reference} {other}", ".txt")
    assert rubric.render("{answer}", "{reference}", "x") == "Q {answer} A {reference} R x {other}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('prompt = "Rate {question}"', "{answer}"),
        ('prompt = "{answer}"\nlow = 5.0\nhigh = 1.0', "high must be above low"),
        ('prompt = "{answer}"\n[labels]\nyes = 2.0', "labels.yes: 2"),
        ('prompt = "{answer}"\nscale = 5', "unknown key 'scale'"),
        ("prompt = {", "invalid TOML"),
    ],
)
def test_invalid_rubric_raises(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RubricError) as error:
        read_rubric(write(tmp_path / "mine.toml", text))
    assert expected in str(error.value) and "mine" in str(error.value)


def test_missing_rubric_file_raises_with_its_section(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match=r"gone\.toml can't be read .*\[judge\]"):
        read_rubric(str(tmp_path / "gone.toml"))


def test_digest_depends_on_prompt_scale_and_system_text() -> None:
    rubric = read_rubric("helpful")
    assert replace(rubric, name="other", source="").digest == rubric.digest
    changed = [replace(rubric, prompt="x {answer}"), replace(rubric, high=10.0), replace(rubric, system="")]
    assert len({rubric.digest, *(other.digest for other in changed)}) == 4


def test_judge_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[judge]\nrubric = "mine.txt"\n[judge.decoding]\nmax_new_tokens = 8\n')
    judge = load_config(path).judge
    assert judge is not None
    assert judge.rubric == str(tmp_path.absolute() / "mine.txt")
    assert (judge.reference_rubric, judge.decoding.temperature, judge.decoding.max_new_tokens) == ("graded", 0.0, 8)
    path.write_text('[judge]\nrubric = "helpfull"\n')
    with pytest.raises(ConfigError, match=r"judge.rubric: .*did you mean 'helpful'"):
        load_config(path)
    path.write_text('[scoring]\npreset = "voicebnch"\n')
    with pytest.raises(ConfigError, match=r"scoring.preset: .*did you mean 'voicebench'"):
        load_config(path)
    path.write_text('[scoring.tasks]\nchat = "juge"\n')
    with pytest.raises(ConfigError, match=r"scoring.tasks: .*chat: .*did you mean 'judge'"):
        load_config(path)
