"""Options from a file and from texts: which one wins, and errors that name where a key came from."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.options import GivenOptions, OptionsError, Source, from_file, from_text
from tests.helpers.serve_command import Launch, announced, failure
from tests.helpers.serve_process import Served

KEYS = st.text("abcdefg_-", min_size=1, max_size=3)
VALUES = st.one_of(st.integers(-9, 9), st.text("x'\"\n$ #=", max_size=5), st.dictionaries(KEYS, st.integers(0, 9)))


def settings(launch: Launch, *arguments: str, **environment: str) -> dict[str, str]:
    """The settings that a served echo describes."""
    process = launch("echo", *arguments, **environment)
    ready = announced(process)
    served = Served(f"{ready['host']}:{ready['port']}", process)
    try:
        return dict(served.describe().settings)
    finally:
        served.stop()


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_the_last_text_with_a_key_wins(tables: list[dict[str, object]]) -> None:
    texts = [from_text(f"text {number}", tomli_w.dumps(table)) for number, table in enumerate(tables)]
    expected: dict[str, object] = {}
    for table in tables:
        expected.update(table)
    assert GivenOptions(texts).merged == expected


@given(st.text(max_size=40))
def test_any_text_is_options_or_an_error_that_names_it(text: str) -> None:
    try:
        assert isinstance(from_text("--options 2 of 3", text).options, dict)
    except OptionsError as error:
        assert str(error).startswith("--options 2 of 3 is not ")


@pytest.mark.parametrize("text", ["", " ", "\n", "# only a comment", "\ufeff"])
def test_an_empty_text_has_no_options(text: str) -> None:
    assert from_text("--options", text).options == {}


def test_bytes_that_are_not_utf8_are_named() -> None:
    with pytest.raises(OptionsError, match="--options is not UTF-8: byte 6 is invalid"):
        from_text("--options", "a = '\udcff'")


def test_a_key_is_traced_to_the_source_that_set_it(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("min = 1\nmin_match = 2\n")
    sources = [from_file(tmp_path / "a.toml"), from_text("--options 1 of 2", "min = 2")]
    options = GivenOptions(sources)
    assert options.origin("option 'min' is 2") == "min: --options 1 of 2"
    assert options.origin("option 'min_match' is 2") == f"min_match: --config {tmp_path / 'a.toml'}"
    assert options.origin("no disk") == f"--config {tmp_path / 'a.toml'}; --options 1 of 2"
    assert "all options have their defaults" in GivenOptions([]).origin("no disk")


def test_texts_replace_keys_of_the_file_and_of_earlier_texts(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "options.toml").write_text("answer = 'file'\nname = 'named'\n")
    found = settings(
        launch, "--config", "options.toml", "--options", "answer = 'first'", "--options", "", "--options", "answer='2'"
    )
    assert (found["answer"], found["service.name"]) == ("2", "named")


def test_the_environment_variable_is_one_text_that_flags_add_to(launch: Launch) -> None:
    variable = {"OMNIGAP_SERVE_OPTIONS": "answer = 'two  words'\nname = 'image'\n"}
    assert settings(launch, **variable)["answer"] == "two  words"
    found = settings(launch, "--options", "name = 'flag'", **variable)
    assert (found["answer"], found["service.name"]) == ("two  words", "flag")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("delay_s = 0.1", "answr = 'x'"), ("unknown option 'answr'", "(answr: --options 2 of 2)")),
        (("delay_s = 'long'",), ("'delay_s'", "(delay_s: --options)")),
        (("delay_s = 'long'", "delay_s = 'longer'", ""), ("'longer'", "(delay_s: --options 2 of 3)")),
        (("", "answer = "), ("--options 2 of 2 is not valid TOML", "at end of document")),
        (("answer: x",), ("--options is not valid TOML", "line 1")),
        (("a = " + "[" * 10_000,), ("nested too deeply",)),
    ],
)
def test_a_wrong_text_is_named(launch: Launch, texts: tuple[str, ...], words: tuple[str, ...]) -> None:
    message = failure(launch("echo", *(part for text in texts for part in ("--options", text))))
    assert "Traceback" not in message
    for word in words:
        assert word in message


def test_a_wrong_variable_is_named(launch: Launch) -> None:
    message = failure(launch("echo", OMNIGAP_SERVE_OPTIONS="answr = 'x'"))
    assert "(answr: OMNIGAP_SERVE_OPTIONS)" in message


def test_options_that_replace_others_keep_the_origin_of_those_that_are_unchanged() -> None:
    given = GivenOptions([Source("--config a", {"model": "x", "revision": "r"}), Source("--options", {"words": 3})])
    replaced = given.replaced_by({"model": "y", "words": 3, "limit": 1}, "--tiny")
    assert replaced.merged == {"model": "y", "words": 3, "limit": 1}
    message = "option 'model' is y; option 'words' is 3; option 'limit' is 1; option 'revision' is r"
    assert replaced.origin(message) == "model: --tiny; words: --options; limit: --tiny"
