"""Where the service finds the voices that its option names."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from omnigap_services.options import OptionsError
from omnigap_services.piper.files import VoiceFiles, find_voices
from omnigap_services.piper.options import REPOSITORY, PiperOptions
from tests.helpers.hub_cache import in_hub_cache
from tests.helpers.tiny_piper import write_card, write_voice

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "en_US-hum-low"


def find(*voices: str | Path, **options: object) -> list[VoiceFiles]:
    return find_voices(PiperOptions.model_validate({"voices": [str(voice) for voice in voices], **options}))


def refusal(*voices: str | Path, **options: object) -> str:
    with pytest.raises(OptionsError, match=r"service piper: option '(voices|folders)'") as caught:
        find(*voices, **options)
    return str(caught.value)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def snapshot(tmp_path_factory: pytest.TempPathFactory, hub_cache: Path) -> Path:
    """A voice in the hub's cache, as a download of v1.0.0 leaves it."""
    source = tmp_path_factory.mktemp("source")
    folder = source / "en" / "en_US" / "hum" / "low"
    write_voice(folder)
    write_card(folder)
    found = in_hub_cache(source, hub_cache, REPOSITORY, COMMIT)
    (found.parent.parent / "refs" / "v1.0.0").write_text(COMMIT)
    return found / "en" / "en_US" / "hum" / "low"


@pytest.mark.usefixtures("no_network", "hub_cache")
def test_a_path_a_folder_and_a_name_find_the_same_voice(tmp_path: Path) -> None:
    path = write_voice(tmp_path / "voices" / "english")
    write_card(path.parent)
    expected = [VoiceFiles(NAME, path, Path(f"{path}.json"), "folder english", "CC0", "https://recordings.example")]
    assert find(path) == find(tmp_path / "voices") == find(NAME, folders=[str(tmp_path)]) == expected


@pytest.mark.usefixtures("hub_cache")
def test_a_path_may_start_at_the_home_or_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_voice(tmp_path / "voices")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given in ("~/voices", "voices", "./voices", f"voices/{NAME}.onnx"):
        assert [voice.name for voice in find(given)] == [NAME]
    monkeypatch.chdir(tmp_path / "voices")
    assert [voice.name for voice in find(f"{NAME}.onnx")] == [NAME]


def test_the_order_is_that_of_the_option_and_a_voice_is_found_once(tmp_path: Path) -> None:
    for name in ("de_DE-hum-low", "en_GB-hum-high", NAME):
        write_voice(tmp_path, name)
    found = find(tmp_path / f"{NAME}.onnx", tmp_path)
    assert [voice.name for voice in found] == [NAME, "de_DE-hum-low", "en_GB-hum-high"]


def test_two_voices_of_one_name_are_refused_with_both_paths(tmp_path: Path) -> None:
    paths = [write_voice(tmp_path / folder) for folder in ("a", "b")]
    message = refusal(*paths)
    assert all(str(path) in message for path in paths)


@pytest.mark.usefixtures("no_network")
def test_a_name_is_found_in_the_cache_of_the_hub(snapshot: Path) -> None:
    (voice,) = find(NAME)
    assert voice.model == snapshot / f"{NAME}.onnx"
    assert voice.source == f"{NAME}: {REPOSITORY}@{COMMIT}, licence CC0, https://recordings.example"


@pytest.mark.usefixtures("no_network")
def test_a_folder_of_the_cache_is_named_by_repository_and_commit(snapshot: Path) -> None:
    assert find(snapshot)[0].origin == f"{REPOSITORY}@{COMMIT}"


def test_the_cache_is_searched_by_revision_also_if_a_folder_contains_it(snapshot: Path, tmp_path: Path) -> None:
    assert find(NAME, folders=[str(tmp_path)])[0].model == snapshot / f"{NAME}.onnx"
    assert "at a-branch" in refusal(NAME, folders=[str(tmp_path)], revision="a-branch")


def test_a_voice_without_a_model_card_is_found_in_the_cache(snapshot: Path) -> None:
    (snapshot / "MODEL_CARD").unlink()
    assert find(NAME)[0].licence == "unknown"


@pytest.mark.parametrize("missing", [".onnx", ".onnx.json"])
def test_a_part_of_a_download_is_not_a_voice(snapshot: Path, missing: str) -> None:
    (snapshot / f"{NAME}{missing}").unlink()
    assert NAME in refusal(NAME)


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize("name", ["en_US-joe-medium", "zh_CN-huayan-x_low", "sr_RS-serbski_institut-medium"])
def test_without_a_network_the_error_names_option_repository_and_the_local_way(tmp_path: Path, name: str) -> None:
    message = refusal(name, folders=[str(tmp_path)])
    for part in ("'voices'", name, str(tmp_path), REPOSITORY, "v1.0.0", f"{name}.onnx.json", "folder"):
        assert part in message


@pytest.mark.usefixtures("no_network", "hub_cache")
@pytest.mark.parametrize(
    "name", ["joe", "en-US-joe-medium", "../en_US-joe-medium", "en_US-joe", "voices/none", "x.onnx"]
)
def test_what_is_neither_a_file_nor_a_name_is_refused_without_a_network(name: str) -> None:
    assert name in refusal(name)


@pytest.mark.usefixtures("no_network", "hub_cache")
def test_an_empty_folder_a_missing_folder_and_a_lone_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no .onnx file" in refusal(tmp_path / "empty")
    assert "not a folder" in refusal(NAME, folders=[str(tmp_path / "absent")])
    path = write_voice(tmp_path / "alone")
    Path(f"{path}.json").unlink()
    assert f"{NAME}.onnx.json is not beside it" in refusal(path)
    assert ".onnx.json" in refusal(NAME, folders=[str(tmp_path / "alone")])
    # Other models, such as a recogniser's, may be in the same folder.
    write_voice(tmp_path / "alone", "de_DE-hum-low")
    assert [voice.name for voice in find(tmp_path / "alone")] == ["de_DE-hum-low"]


def test_no_voice_at_all_is_refused_by_the_options() -> None:
    for options in ({}, {"voices": []}):
        with pytest.raises(ValueError, match="voices"):
            PiperOptions.model_validate(options)


@pytest.mark.parametrize(
    ("line", "licence"),
    [
        ("* License: CC0", "CC0"),
        ("License: https://creativecommons.org/licenses/by/4.0/", "https://creativecommons.org/licenses/by/4.0/"),
        ("- Licence:  MIT  ", "MIT"),
        ("* LICENSE: See URL", "See URL"),
        ("* License:", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_licence_is_what_the_model_card_states(tmp_path: Path, line: str, licence: str) -> None:
    path = write_voice(tmp_path)
    (tmp_path / "MODEL_CARD").write_text(f"# Model card for hum (low)\n\n## Dataset\n\n{line}\n")
    assert find(path)[0].licence == licence


def test_a_model_card_beside_several_voices_holds_for_the_one_that_it_names(tmp_path: Path) -> None:
    for name in (NAME, "en_US-other-low"):
        write_voice(tmp_path, name)
    write_card(tmp_path)
    assert {voice.name: voice.licence for voice in find(tmp_path)} == {NAME: "CC0", "en_US-other-low": "unknown"}
