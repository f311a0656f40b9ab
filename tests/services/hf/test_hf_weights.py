"""One checkpoint has one digest: from a folder, from the hub's cache, and under every name in reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnigap_services.adapter import Adapter
from omnigap_services.hf.asr import tiny as tiny_asr
from omnigap_services.hf.asr.adapter import HfAsrAdapter
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.tts import tiny as tiny_tts
from omnigap_services.hf.tts.adapter import TtsAdapter
from omnigap_services.hf.tts.generative import _codec_revision
from omnigap_services.hf.tts.voice import TtsOptions
from omnigap_services.options import OptionsError
from omnigap_services.server.describe import describe
from tests.helpers.altered import copied
from tests.helpers.hub_cache import in_hub_cache
from tests.services.hf import other_tts, tiny_phi
from tests.services.hf.hosting import Build, Built

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("service", "build"),
    [
        (ChatAdapter, tiny_chat.llama),
        (ChatAdapter, tiny_phi.phi4),
        (HfAsrAdapter, tiny_asr.whisper),
        (HfAsrAdapter, tiny_asr.wav2vec2),
        (TtsAdapter, tiny_tts.vits),
    ],
    ids=["llama", "phi4-with-adapters", "whisper", "wav2vec2", "vits"],
)
def test_folder_and_hub_name_have_one_digest(
    built: Built, hub_cache: Path, tmp_path: Path, service: Callable[[dict[str, Any]], Adapter], build: Build
) -> None:
    folder = copied(built(build), tmp_path / "my-weights")
    in_hub_cache(folder, hub_cache, "owner/name", COMMIT)
    (folder / "README.md").write_text("A note of mine.")
    options: tuple[dict[str, Any], ...] = (
        {"model": str(folder)},
        {"model": str(folder), "name": "mine"},
        {"model": "owner/name", "revision": COMMIT},
    )
    cards = [describe(adapter.load(), type(adapter)) for adapter in map(service, options)]
    assert [card.name for card in cards] == ["my-weights", "mine", "owner/name"]
    assert len({card.digest for card in cards}) == 1
    assert cards[2].weights_revision.endswith(f"(owner/name@{COMMIT})")


def test_a_vocoder_has_one_digest_too(built: Built, hub_cache: Path, tmp_path: Path) -> None:
    folder = copied(built(other_tts.speecht5), tmp_path / "voice")
    in_hub_cache(folder / "vocoder", hub_cache, "owner/vocoder", COMMIT)
    options = {"model": str(folder), "voices": {"one": str(next(folder.glob("*.npy")))}}
    by_folder = TtsAdapter({**options, "vocoder": str(folder / "vocoder")})
    by_name = TtsAdapter({**options, "vocoder": "owner/vocoder", "vocoder_revision": COMMIT})
    assert describe(by_folder.load(), TtsAdapter).digest == describe(by_name.load(), TtsAdapter).digest


@pytest.mark.usefixtures("hub_cache")
def test_a_codec_that_is_not_in_the_cache_is_not_looked_for_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    codec = SimpleNamespace(config=SimpleNamespace(_name_or_path="owner/codec", _commit_hash=COMMIT))
    pipe = SimpleNamespace(processor=SimpleNamespace(audio_tokenizer=codec))
    with pytest.raises(OptionsError, match=f"hf download owner/codec --revision {COMMIT}"):
        _codec_revision(pipe, TtsOptions(model="owner/name", revision=COMMIT))
