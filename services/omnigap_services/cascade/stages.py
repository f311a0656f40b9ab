"""Loads the ASR, OCR and TTS stages that a cascade's routes need, and no others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Modality, Reason, Support
from omnigap_services.cascade.client import PartClient, unreachable
from omnigap_services.cascade.messages import card_of
from omnigap_services.cascade.options import DISABLED, StageOptions
from omnigap_services.cascade.recognition import InProcessAsr, InProcessOcr, Recogniser, RemoteRecogniser
from omnigap_services.cascade.routes import Stage
from omnigap_services.cascade.tts import TtsStage
from omnigap_services.loop_thread import LoopThread

_log = logging.getLogger(__name__)

_REQUIRED = {
    Stage.ASR: Condition(Modality.SPEECH, Modality.TEXT),
    Stage.OCR: Condition(Modality.IMAGE, Modality.TEXT),
    Stage.TTS: Condition(Modality.TEXT, Modality.SPEECH),
}
"""The condition that a service must support to be used for a stage."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The loaded stages; None where no condition needs one."""

    asr: Recogniser | None = None
    ocr: Recogniser | None = None
    tts: TtsStage | None = None

    @property
    def all(self) -> tuple[Recogniser | TtsStage, ...]:
        return tuple(stage for stage in (self.asr, self.ocr, self.tts) if stage is not None)

    def recogniser(self, stage: Stage) -> Recogniser:
        """The loaded ASR or OCR stage of a route."""
        found = self.asr if stage is Stage.ASR else self.ocr
        assert found is not None, f"no {stage} although a route needs it"
        return found

    @property
    def descriptions(self) -> Mapping[Stage, str]:
        """What each loaded stage does, for the reasons in the card."""
        found = {Stage.ASR: self.asr, Stage.OCR: self.ocr, Stage.TTS: self.tts}
        return {stage: loaded.description for stage, loaded in found.items() if loaded is not None}

    def close(self) -> None:
        for stage in self.all:
            stage.close()


def available_stages(options: StageOptions) -> frozenset[Stage]:
    """The stages that the options allow. ASR and OCR have an in-process engine, TTS needs an address.

    TTS is never in-process: espeak-ng is GPL software with global state, and stays in its own process.
    """
    available = {Stage.ASR: options.asr != DISABLED, Stage.OCR: options.ocr != DISABLED}
    available[Stage.TTS] = options.tts not in ("", DISABLED)
    return frozenset(stage for stage, is_available in available.items() if is_available)


def load_stages(
    options: StageOptions,
    needed: Collection[Stage],
    loop: LoopThread,
    on_change: Callable[[str], None],
    *,
    plain_speech: bool = False,
    ocr_prompt: str = "",
) -> Stages:
    """Loads the stages that are needed.

    Args:
        on_change: as that of `PartClient`.
        plain_speech: remove Markdown before TTS.
        ocr_prompt: sent to an OCR service after the image.

    Raises:
        ContractError: if a service is not there, or does not support the condition that its stage needs.
    """
    # Services before engines: a wrong address fails at once, a checkpoint may load for minutes.
    clients = {stage: _client(stage, options, loop, on_change) for stage in needed if _address(stage, options)}
    # Only a warning: the cascade works without the stage.
    for stage in Stage:
        if stage not in needed and _address(stage, options) not in ("", DISABLED):
            _log.warning("option %s is set but not used: the LLM needs no such stage (see direct)", stage)
    tts = TtsStage(clients[Stage.TTS], plain_speech) if Stage.TTS in needed else None
    asr: Recogniser | None = None
    ocr: Recogniser | None = None
    if client := clients.get(Stage.ASR):
        asr = RemoteRecogniser(client)
    elif Stage.ASR in needed:
        asr = InProcessAsr(options.asr_options())
    if client := clients.get(Stage.OCR):
        ocr = RemoteRecogniser(client, ocr_prompt)
    elif Stage.OCR in needed:
        ocr = InProcessOcr(options.image_side, options.ocr_threads)
    return Stages(asr, ocr, tts)


def _address(stage: Stage, options: StageOptions) -> str:
    return {Stage.ASR: options.asr, Stage.OCR: options.ocr, Stage.TTS: options.tts}[stage]


def _client(stage: Stage, options: StageOptions, loop: LoopThread, on_change: Callable[[str], None]) -> PartClient:
    client = PartClient(stage.value, _address(stage, options), options, loop, on_change)
    declared = card_of(client.card).conditions.get(_REQUIRED[stage])
    if declared is None or declared.support is Support.UNSUPPORTED:
        why = f"{client.card.name} is there, but does not support {_REQUIRED[stage]}"
        raise unreachable(client.place, ContractError(Reason.UNSUPPORTED_CONDITION, why))
    return client
