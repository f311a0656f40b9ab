"""ASR options and checkpoints: unknown and missing ones are named in the error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from omnigap.card import weights_identity
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.checkpoint_files import find_checkpoint
from omnigap_services.asr.options import SHIPPED_CHECKPOINT, AsrOptions
from omnigap_services.options import OptionsError
from omnigap_services.server.describe import describe
from tests.helpers.hub_cache import in_hub_cache

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_an_unknown_option_is_refused_by_name() -> None:
    expected = r"service asr: unknown option 'beams', did you mean 'beam_size'\? \(known: checkpoint, "
    with pytest.raises(OptionsError, match=expected):
        AsrAdapter({"beams": 3})


def test_every_wrong_option_is_named_at_once() -> None:
    with pytest.raises(OptionsError, match=r"option 'beam_size' is 0.*unknown option 'vad'"):
        AsrAdapter({"beam_size": 0, "vad": True})


def test_the_revision_covers_the_files_that_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED_CHECKPOINT, folder)

    def revision() -> str:
        return find_checkpoint(AsrOptions(checkpoint=str(folder))).revision

    first = revision()
    (folder / "README.md").write_text("not read by the engine")
    assert revision() == first
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "a": 1}))
    assert revision() != first


def test_one_checkpoint_has_one_digest_as_folder_and_as_hub_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = in_hub_cache(SHIPPED_CHECKPOINT, tmp_path / "hub", "owner/micro", COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    copied = tmp_path / "mine"
    shutil.copytree(SHIPPED_CHECKPOINT, copied)
    (copied / "README.md").write_text("another one")
    options = ({}, {"checkpoint": str(copied)}, {"checkpoint": "owner/micro", "revision": COMMIT})
    cards = [describe(AsrAdapter(each).load(), AsrAdapter) for each in (*options, {"checkpoint": str(snapshot)})]
    assert len({card.digest for card in cards}) == 1
    assert len({weights_identity(card) for card in cards}) == 1
    sources = [card.weights_revision.removeprefix(weights_identity(card)) for card in cards]
    assert sources[:3] == [" (omnigap-micro-whisper)", " (mine)", f" (owner/micro@{COMMIT})"]


def test_other_weights_have_another_digest(tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(SHIPPED_CHECKPOINT, changed)
    config = json.loads((changed / "preprocessor_config.json").read_text())
    (changed / "preprocessor_config.json").write_text(json.dumps({**config, "note": 1}))
    digests = {describe(AsrAdapter(each).load(), AsrAdapter).digest for each in ({}, {"checkpoint": str(changed)})}
    assert len(digests) == 2
