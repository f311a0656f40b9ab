"""The service over its socket: card, six conditions, refusals, and the conformance suite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from tests.services.anygpt.recorded import picture, tone

if TYPE_CHECKING:
    from tests.helpers.serve_process import Part, Served

QUESTIONS: tuple[tuple[Part, ...], ...] = (
    ("What is the capital of France?",),
    (tone(0.7), "Answer with one word."),
    (picture(), "Answer with one word."),
)


def test_the_card_says_what_is_native_and_why_the_rest_is_not(served: Served) -> None:
    card = served.describe()
    support = {(c.input, c.output): (c.support, c.reason) for c in card.conditions}
    for carrier in (pb.MODALITY_TEXT, pb.MODALITY_SPEECH, pb.MODALITY_IMAGE):
        assert support[carrier, pb.MODALITY_TEXT] == (pb.SUPPORT_NATIVE, "")
    assert support[pb.MODALITY_SPEECH, pb.MODALITY_SPEECH] == (pb.SUPPORT_NATIVE, "")
    for carrier in (pb.MODALITY_TEXT, pb.MODALITY_IMAGE):
        found, reason = support[carrier, pb.MODALITY_SPEECH]
        assert found == pb.SUPPORT_ASSISTED
        assert "not trained" in reason
    assert card.architecture == pb.ARCHITECTURE_DISCRETE_TOKEN
    assert card.output_sample_rate_hz == card.limits.input_sample_rate_hz == 16_000
    assert {"speech_modules.revision", "image_tokenizer.revision", "library.torch", "service.code"} <= set(
        card.settings
    )
    assert "squeezed" in card.settings["image_preprocessing"]


@pytest.mark.parametrize("output", [Modality.TEXT, Modality.SPEECH])
def test_all_six_conditions_are_answered_alone_and_together(served: Served, output: Modality) -> None:
    single = [served.ask(*parts, output=output) for parts in QUESTIONS]
    for reply in single:
        assert reply.text
        usage = reply.complete.usage
        assert usage.input_tokens > usage.output_tokens > 0
        if output is Modality.TEXT:
            assert reply.audio is None
            continue
        assert reply.audio is not None
        assert reply.audio.sample_rate == 16_000
        assert len(reply.audio.samples) == 320 * usage.audio_tokens > 0
    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        together = list(pool.map(lambda parts: served.ask(*parts, output=output), QUESTIONS))
    for one, other in zip(single, together, strict=True):
        assert (one.text, one.complete.diagnostics) == (other.text, other.complete.diagnostics)
        if one.audio is not None and other.audio is not None:
            np.testing.assert_array_equal(one.audio.samples, other.audio.samples)


def test_a_question_over_the_context_is_refused(served: Served) -> None:
    with pytest.raises(ContractError, match="context") as refused:
        served.ask("word " * 3_900)
    assert refused.value.reason is Reason.TOO_LARGE


def test_a_named_voice_is_refused(served: Served) -> None:
    with pytest.raises(ContractError) as refused:
        served.ask("Hi", output=Modality.SPEECH, voice=pb.VoiceSettings(name="Ethan"))
    assert refused.value.reason is Reason.BAD_REQUEST


async def test_it_conforms(served: Served) -> None:
    found = await conform(served.address)
    assert [result for result in found.results if result.status in (Status.FAILED, Status.WARNING)] == []
    assert [r.check for r in found.results if r.status is Status.SKIPPED] == ["undeclared-conditions-are-refused"]
