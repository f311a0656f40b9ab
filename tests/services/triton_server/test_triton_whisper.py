"""The example's Whisper on Triton gives the same transcripts as the `asr` service."""

from __future__ import annotations

import concurrent.futures
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Reason
from tests.helpers.serve_process import Serve, Served
from tests.services.triton_server.triton_env import EXAMPLE
from tests.services.triton_server.triton_process import Triton

OPTIONS: dict[str, Any] = tomllib.loads((EXAMPLE / "asr.toml").read_text(encoding="utf-8"))

SENTENCES = (
    "What is the capital of France?",
    "Forty two",
    "The river flows through the old town to the sea.",
    "Option B.",
    "Marie Curie",
    "Nineteen sixty nine",
)


@pytest.fixture
def scorer(triton: Triton, on_triton: Callable[..., Served]) -> Served:
    """The service with the example's configuration, at the address of the tests' server."""
    return on_triton(triton, {**OPTIONS, "url": triton.url})


def test_transcripts_equal_those_of_the_asr_service(
    scorer: Served, serve: Serve, say: Callable[..., AudioClip]
) -> None:
    clips = [say(text, ("en-us", "en-us+f3")[number % 2]) for number, text in enumerate(SENTENCES)]
    # With the whole window, as in the example's model.
    embedded = serve("asr", {"padding_s": 0})
    with concurrent.futures.ThreadPoolExecutor(len(clips)) as pool:
        together = list(pool.map(scorer.ask, clips))
    for text, clip, reply in zip(SENTENCES, clips, together, strict=True):
        expected, single = embedded.ask(clip), scorer.ask(clip)
        assert reply.text == single.text == expected.text, text
        assert reply.text
        found, known = reply.complete.diagnostics, dict(expected.complete.diagnostics)
        # Triton's model takes the whole window, so it has no pieces whose length could matter.
        for name in ("longest_stretch_s", "trained_s"):
            known.pop(name)
        assert set(known) <= set(found)
        for name in known:
            assert found[name] == pytest.approx(known[name], rel=0.02, abs=0.002), (text, name)
        assert reply.complete.usage.output_tokens == expected.complete.usage.output_tokens
        assert reply.complete.detected_language == "en"
    assert len({reply.text for reply in together}) == len(SENTENCES)


def test_a_clip_longer_than_the_window_is_transcribed_to_its_end(scorer: Served, say: Callable[..., AudioClip]) -> None:
    first, last = say(SENTENCES[2]), say(SENTENCES[0])
    pause = np.zeros(16_000, dtype=np.float32)
    middle = [part for _ in range(7) for part in (first.samples, pause)]
    reply = scorer.ask(AudioClip(np.concatenate([*middle, last.samples]), 16_000))
    assert reply.complete.diagnostics["duration_s"] > 20
    assert "france" in reply.text


def test_silence_has_an_empty_transcript_and_an_unknown_language_is_refused(
    scorer: Served, say: Callable[..., AudioClip]
) -> None:
    silent = scorer.ask(AudioClip(np.zeros(16_000, np.float32), 16_000))
    assert silent.text == ""
    assert silent.complete.diagnostics["no_speech_prob"] == 1.0
    with pytest.raises(ContractError, match="language 'ko' is not known") as failed:
        scorer.ask(say(SENTENCES[1]), language="ko")
    assert failed.value.reason is Reason.MODEL_ERROR
    with pytest.raises(ContractError, match=r"inputs\.instruction"):
        scorer.ask(say(SENTENCES[1]), "The answer is forty two.")
