"""The three services pass the conformance suite of the orchestrator."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.adapter import Adapter
from omnigap_services.hf.asr import tiny as tiny_asr
from omnigap_services.hf.asr.adapter import HfAsrAdapter
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.tts import tiny as tiny_tts
from omnigap_services.hf.tts.adapter import TtsAdapter
from tests.helpers.served_doubles import Serve
from tests.services.hf import other_tts
from tests.services.hf.hosting import Built


async def check(address: str, warned: Collection[str] = ()) -> int:
    """Checks that nothing fails and only `warned` checks warn; returns the number of passed checks."""
    found = await conform(address)
    by_status = {status: [r for r in found.results if r.status is status] for status in Status}
    assert by_status[Status.FAILED] == []
    assert {result.check for result in by_status[Status.WARNING]} <= set(warned)
    return len(by_status[Status.PASSED])


@pytest.mark.parametrize(
    ("builder", "passed"),
    [(tiny_chat.llama, 28), (tiny_chat.llava, 33), (tiny_chat.qwen2_audio, 35)],
    ids=["text", "image", "audio"],
)
async def test_hf_chat_conforms(builder: Any, passed: int, built: Built, host: Serve) -> None:
    # Short answers and small batches, so that a short load is an overload.
    options = {"model": str(built(builder)), "max_new_tokens": 8, "max_batch_size": 2}
    assert await check(await host(ChatAdapter(options))) == passed


@pytest.mark.parametrize("builder", [tiny_tts.vits, other_tts.speecht5])
async def test_hf_tts_conforms(builder: Any, built: Built, host: Serve) -> None:
    folder = built(builder)
    options: dict[str, object] = {"model": str(folder)}
    if builder is other_tts.speecht5:
        options |= {"vocoder": str(folder / "vocoder"), "voices": {"first": str(folder / "first.npy")}}
    assert await check(await host(TtsAdapter(options))) == 32


@pytest.mark.parametrize("builder", [tiny_asr.wav2vec2, tiny_asr.whisper])
async def test_hf_asr_conforms(builder: Any, built: Built, host: Serve) -> None:
    options = {"model": str(built(builder)), "max_batch_size": 2, "max_new_tokens": 4}
    adapter: Adapter = HfAsrAdapter(options)
    # Its transcript of the suite's noise may be empty.
    assert await check(await host(adapter), warned=["declared-conditions-answer"]) >= 30
