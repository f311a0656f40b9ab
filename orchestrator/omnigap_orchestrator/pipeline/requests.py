"""A cell's failure as the journal keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable

from omnigap import convert
from omnigap.errors import ContractError
from omnigap.media import encode_wav
from omnigap.media.audio import WAV
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
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
"""In the place of the model in the failure of a carrier, which all models share."""


def failure_row(stage: Stage, cell: Cell, failed: CallFailed) -> FailureRow:
    """The last failure of a cell in a stage."""
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


def carrier_failure_row(item_id: str, modality: Modality, variant: int, error: ContractError) -> FailureRow:
    """Why a question could not be read aloud: it concerns every cell that needs it, so it names no model."""
    return FailureRow(
        stage=Stage.CARRIERS.value,
        model=NO_MODEL,
        item_id=item_id,
        condition=modality.value,
        replicate=variant,
        reason=error.reason.value,
        message=f"the question could not be read aloud: {error.message}",
        endpoint="",
        attempts=1,
        at=time.time(),
    )


# What each kind of service is asked: a model, the ASR scorer, the TTS voice, a judge, a reader of carriers.


def model_request(cell: PlannedCell, read: Callable[[str], bytes], run_id: str, digest: str) -> pb.GenerateRequest:
    """A planned cell's question to its model.

    Args:
        read: gives a stored medium's bytes by their SHA-256.
        run_id: part of the request id, so that another run's question is not answered from what the server remembers.
        digest: that the model must still have.
    """
    spec = cell.model.spec
    assert cell.carrier is not None and cell.key is not None
    parts = [carrier_part(cell.carrier, read)]
    if cell.instruction:
        parts.append(pb.InputPart(text=cell.instruction))
    return pb.GenerateRequest(
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
    """The question to an ASR scorer: a stored WAV, and nothing that could lead it."""
    return pb.GenerateRequest(
        request_id=request_id,
        parts=[pb.InputPart(audio=pb.Audio(data=data, mime_type=WAV))],
        output=pb.MODALITY_TEXT,
        decoding=decoding_message(decoding, 0),
        language=language,
        expected_digest=digest,
    )


def judge_request(ask: JudgePrompt, decoding: DecodingConfig, request_id: str, digest: str) -> pb.GenerateRequest:
    """One vote on one answer; each vote has its own seed."""
    return pb.GenerateRequest(
        request_id=request_id,
        system_prompt=ask.system,
        parts=[pb.InputPart(text=ask.prompt)],
        output=pb.MODALITY_TEXT,
        decoding=decoding_message(decoding, ask.vote),
        language=ask.language,
        expected_digest=digest,
    )


async def read_aloud(tts: ServiceCalls, text: str, variant: SpeechVariant, language: str) -> bytes:
    """A text as a WAV file, in one voice and rate.

    Raises:
        Unavailable: where the voice is gone.
        CallFailed: where it could not read the text, or gave no audio.
    """
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
    """The carrier as it travels: its text, or its bytes, read by their SHA-256."""
    if carrier.modality is Modality.TEXT:
        return pb.InputPart(text=carrier.text)
    data = read(carrier.sha)
    if carrier.modality is Modality.SPEECH:
        return pb.InputPart(audio=pb.Audio(data=data, mime_type=carrier.mime_type))
    return pb.InputPart(image=pb.Image(data=data, mime_type=carrier.mime_type))


def decoding_message(decoding: DecodingConfig, replicate: int) -> pb.Decoding:
    """The decoding of one replicate: each has its own seed, so that sampled replicates differ."""
    fields = decoding.model_dump(exclude_none=True)
    if decoding.seed is not None:
        fields["seed"] = decoding.seed + replicate
    return pb.Decoding(**fields)
