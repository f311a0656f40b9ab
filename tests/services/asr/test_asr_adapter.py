"""The `asr` service over its socket: transcripts with statistics; anything that could steer them is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason

if TYPE_CHECKING:
    from tests.services.conftest import Served


def test_a_clip_is_transcribed_with_statistics(asr: Served, say: Callable[..., AudioClip]) -> None:
    reply = asr.ask(say("What is the capital of France?"), language="en")
    assert "capital" in reply.text.lower()
    assert {"avg_logprob", "no_speech_prob", "compression_ratio", "duration_s"} <= set(reply.complete.diagnostics)
    assert reply.complete.detected_language == "en"
    assert reply.complete.usage.output_tokens > 0


def test_concurrent_calls_get_the_same_transcripts_as_single_calls(asr: Served, clips: list[AudioClip]) -> None:
    single = [asr.ask(clip).text for clip in clips]
    with ThreadPoolExecutor(len(clips)) as pool:
        assert [reply.text for reply in pool.map(asr.ask, clips)] == single


def test_describe_names_no_architecture_and_the_checkpoint(asr: Served) -> None:
    card = asr.describe()
    assert card.architecture == pb.ARCHITECTURE_UNSPECIFIED
    assert re.fullmatch(r"sha256:[0-9a-f]{64} \(omnigap-micro-whisper\)", card.weights_revision)
    assert card.settings["temperature"] == "0.0"
    assert card.settings["beam_size"] == "5"
    assert [(c.input, c.output) for c in card.conditions if c.support == pb.SUPPORT_NATIVE] == [
        (pb.MODALITY_SPEECH, pb.MODALITY_TEXT)
    ]


def test_silence_gives_an_empty_transcript(asr: Served) -> None:
    reply = asr.ask(AudioClip(np.zeros(32_000, dtype=np.float32), 16_000))
    assert reply.text == ""
    assert reply.complete.diagnostics["no_speech_prob"] == 1.0


def test_text_next_to_the_audio_is_refused(asr: Served, clips: list[AudioClip]) -> None:
    with pytest.raises(ContractError, match="one audio part and no text") as refused:
        asr.ask(clips[0], "The answer is Paris.")
    assert refused.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize(
    "decoding", [pb.Decoding(temperature=0.4), pb.Decoding(top_k=5), pb.Decoding(max_new_tokens=3)]
)
def test_decoding_that_samples_or_truncates_is_refused(
    asr: Served, clips: list[AudioClip], decoding: pb.Decoding
) -> None:
    with pytest.raises(ContractError, match="deterministic"):
        asr.ask(clips[0], decoding=decoding)


def test_an_invalid_call_does_not_affect_other_calls(asr: Served, clips: list[AudioClip]) -> None:
    expected = asr.ask(clips[0]).text
    with ThreadPoolExecutor(3) as pool:
        good = pool.submit(asr.ask, clips[0])
        bad = pool.submit(asr.ask, clips[1], language="ko")
        other = pool.submit(asr.ask, clips[0])
        assert good.result().text == other.result().text == expected
        with pytest.raises(ContractError, match="'ko'"):
            bad.result()


def test_speech_output_is_unsupported(asr: Served, clips: list[AudioClip]) -> None:
    with pytest.raises(ContractError) as refused:
        asr.ask(clips[0], output=Modality.SPEECH)
    assert refused.value.reason is Reason.UNSUPPORTED_CONDITION
