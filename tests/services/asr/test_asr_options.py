"""ASR options and checkpoints: unknown and missing ones are named in the error."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.options import content_hash, find_checkpoint
from omnigap_services.options import OptionsError


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(OptionsError, match=r"service asr: unknown option 'beams' \(known: checkpoint, "):
        AsrAdapter({"beams": 3})


def test_every_wrong_option_is_named_at_once() -> None:
    with pytest.raises(OptionsError, match=r"option 'beam_size' is 0.*unknown option 'vad'"):
        AsrAdapter({"beam_size": 0, "vad": True})


def test_a_missing_checkpoint_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"model\.bin is missing.*option checkpoint"):
        find_checkpoint(str(tmp_path))


def test_the_hash_covers_the_files_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    first = content_hash(tmp_path)
    (tmp_path / "README.md").write_text("not read by the engine")
    assert content_hash(tmp_path) == first
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert content_hash(tmp_path) != first
