"""Unexpected errors inside a model: the log has the traceback, and the caller gets its id."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Modality, Reason
from omnigap_services.hf.asr import tiny as tiny_asr
from omnigap_services.hf.asr.adapter import HfAsrAdapter
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.tts import tiny as tiny_tts
from omnigap_services.hf.tts.adapter import TtsAdapter
from tests.services.hf.hosting import Built, Host

CLIP = AudioClip(np.sin(np.arange(16_000) / 9).astype(np.float32), 16_000)


def broken_kernel(*_: object, **__: object) -> Any:
    raise IndexError("index 7 is out of bounds")


@pytest.mark.parametrize("name", ["hf-chat", "hf-chat's prompt", "hf-asr", "hf-tts"])
def test_the_traceback_is_logged_under_the_id_in_the_callers_error(
    name: str, built: Built, hosted: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if name == "hf-asr":
        asr = HfAsrAdapter({"model": str(built(tiny_asr.whisper))})
        served = hosted(asr)
        monkeypatch.setattr(asr._recogniser, "transcribe", broken_kernel)
    elif name == "hf-tts":
        voice = TtsAdapter({"model": str(built(tiny_tts.vits))})
        served = hosted(voice)
        monkeypatch.setattr(voice._loaded.voice, "synthesise", broken_kernel)
    else:
        chat = ChatAdapter({"model": str(built(tiny_chat.llama)), "max_new_tokens": 4})
        served = hosted(chat)
        generation = chat._generation
        if name == "hf-chat":
            monkeypatch.setattr(generation._chat.model, "generate", broken_kernel)
        else:
            monkeypatch.setattr(generation._prompt_builder, "build", broken_kernel)
    with pytest.raises(ContractError, match="index 7 is out of bounds") as caught:
        served.ask(
            CLIP if name == "hf-asr" else "Who was it?",
            output=Modality.SPEECH if name == "hf-tts" else Modality.TEXT,
        )
    assert caught.value.reason is Reason.MODEL_ERROR
    (fault,) = re.findall(r"fault ([0-9a-f]{8})", caught.value.message)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert fault in record.getMessage()
    assert "in broken_kernel" in (record.exc_text or "")
