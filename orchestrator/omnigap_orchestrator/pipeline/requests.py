"""Requests to each kind of service (model, ASR scorer, TTS, judge), and the journal rows of their failures."""

from __future__ import annotations

import time
from collections.abc import Callable

from omnigap import convert
from omnigap.errors import ContractError
from omnigap.media import encode_wav
from omnigap.media.audio import WAV
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.carriers import MediumError
from omnigap_orchestrator.carriers.carrier_set import Carrier, SpeechVariant
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.journal import FailureRow
from omnigap_orchestrator.judge import JudgePrompt
from omnigap_orchestrator.pipeline.cells import PlannedCell
from omnigap_orchestrator.pipeline.context import ServiceCalls
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.pool import CallFailed

NO_MODEL = ""
"""Model name in the failure row of a carrier, which all models share."""


def failure_row(stage: Stage, cell: Cell, failed: CallFailed) -> FailureRow:
    """The journal row of a cell's last failure in a stage."""
    return FailureRow(
        stage=stage.value,
        model=cell.model,
        item_id=cell.item_id,
        condition=cell.filed_under,
        replicate=cell.replicate,
        reason=failed.error.reason.value,
        message=failed.error.message,
        endpoint=failed.endpoint,
        attempts=failed.attempts,
        at=time.time(),
    )


def medium_failure_row(stage: Stage, cell: Cell, error: MediumError) -> FailureRow:
    """The journal row of a cell whose carrier or audio can't be read from the media store."""
    failed = CallFailed(ContractError(Reason.BAD_MEDIA, f"a stored medium is damaged: {error}"), "", 1)
    return failure_row(stage, cell, failed)


def carrier_failure_row(item_id: str, modality: Modality, variant: int, error: ContractError) -> FailureRow:
    """The journal row of a question that could not be synthesised; it applies to all models."""
    return FailureRow(
        stage=Stage.CARRIERS.value,
        model=NO_MODEL,
        item_id=item_id,
        condition=modality.value,
        replicate=variant,
        reason=error.reason.value,
        message=f"speech synthesis of the question failed: {error.message}",
        endpoint="",
        attempts=1,
        at=time.time(),
    )


def model_request(cell: PlannedCell, read: Callable[[str], bytes], run_id: str, digest: str) -> pb.GenerateRequest:
    """The request of a planned cell to its model.

    Args:
        read: returns the bytes of a stored medium by its SHA-256.
        run_id: ID of the run.
        digest: digest that the model must still have; the service refuses the request otherwise.
    """
    spec = cell.model.spec
    assert cell.carrier is not None and cell.key is not None
    parts = [carrier_part(cell.carrier, read)]
    if cell.instruction:
        parts.append(pb.InputPart(text=cell.instruction))
    return pb.GenerateRequest(
        # A repeated request ID joins or replays the earlier call, which a retry needs. It contains the run ID, so that
        # another run with the same key gets its own answer.
        request_id=f"{run_id}-{cell.key}",
        system_prompt=spec.system_prompt,
        parts=parts,
        output=convert.modality_to_proto(cell.cell.condition.output),
        decoding=decoding_message(spec.decoding, cell.cell.replicate),
        voice=pb.VoiceSettings(name=spec.voice),
        language=cell.item.language,
        expected_digest=digest,
    )


def transcribe_request(
    data: bytes, request_id: str, decoding: DecodingConfig, language: str, digest: str
) -> pb.GenerateRequest:
    """The request to transcribe a WAV file."""
    # No prompt and no context: either would bias the transcript towards the expected answer.
    return pb.GenerateRequest(
        request_id=request_id,
        parts=[pb.InputPart(audio=pb.Audio(data=data, mime_type=WAV))],
        output=pb.MODALITY_TEXT,
        decoding=decoding_message(decoding, 0),
        language=language,
        expected_digest=digest,
    )


def judge_request(prompt: JudgePrompt, decoding: DecodingConfig, request_id: str, digest: str) -> pb.GenerateRequest:
    """The request for one vote on one answer. Each vote has its own seed; equal seeds would give equal votes."""
    return pb.GenerateRequest(
        request_id=request_id,
        system_prompt=prompt.system,
        parts=[pb.InputPart(text=prompt.prompt)],
        output=pb.MODALITY_TEXT,
        decoding=decoding_message(decoding, prompt.vote),
        language=prompt.language,
        expected_digest=digest,
    )


async def synthesise(tts: ServiceCalls, text: str, variant: SpeechVariant, language: str) -> bytes:
    """Synthesises a text; returns a WAV file.

    Raises:
        Unavailable: the TTS service is unavailable.
        CallFailed: synthesis failed, or returned no audio.
    """
    # Without a request ID: the result is stored under the key of the carrier, so no server has to replay it.
    request = pb.GenerateRequest(
        parts=[pb.InputPart(text=text)],
        output=pb.MODALITY_SPEECH,
        voice=pb.VoiceSettings(name=variant.voice, words_per_minute=variant.words_per_minute),
        language=language,
        expected_digest=tts.digest,
    )
    answer = await tts.call(request)
    if not answer.pcm:
        error = ContractError(Reason.MODEL_ERROR, f"{answer.endpoint} answered without audio")
        raise CallFailed(error, answer.endpoint, 1)
    return encode_wav(answer.pcm, answer.sample_rate)


def carrier_part(carrier: Carrier, read: Callable[[str], bytes]) -> pb.InputPart:
    """The carrier as part of a request: its text, or its bytes, which `read` returns by their SHA-256."""
    if carrier.modality is Modality.TEXT:
        return pb.InputPart(text=carrier.text)
    data = read(carrier.sha)
    if carrier.modality is Modality.SPEECH:
        return pb.InputPart(audio=pb.Audio(data=data, mime_type=carrier.mime_type))
    return pb.InputPart(image=pb.Image(data=data, mime_type=carrier.mime_type))


def decoding_message(decoding: DecodingConfig, replicate: int) -> pb.Decoding:
    """The decoding settings of one replicate: its seed is the configured seed plus the replicate's number."""
    fields = decoding.model_dump(exclude_none=True)
    if decoding.seed is not None:
        # With one seed for all, sampled replicates would be copies of each other.
        fields["seed"] = decoding.seed + replicate
    return pb.Decoding(**fields)
