"""How each condition is answered: by the language model itself, or with the ASR, OCR and TTS stages around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import Capability


class Stage(StrEnum):
    """A stage that a language model may need; the value is the option that holds its address."""

    ASR = "asr"
    OCR = "ocr"
    TTS = "tts"


_INPUT_STAGE = {Modality.SPEECH: Stage.ASR, Modality.IMAGE: Stage.OCR}

MISSING_STAGE = {
    Stage.ASR: "no ASR configured: set asr = host:port of an ASR service, or leave asr empty for the in-process engine",
    Stage.OCR: "no OCR configured: set ocr = host:port of an OCR service, or leave ocr empty for the in-process engine",
    Stage.TTS: "no TTS service configured: set tts = host:port",
}
"""Why a condition is unsupported when a stage is missing, and the option that fixes it."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one condition is answered.

    Attributes:
        asks: the condition that the language model is asked in.
        recognise: the stage that turns the carrier into text first; None if the model takes the carrier itself.
        speak: whether the TTS stage speaks the model's text.
    """

    asks: Condition
    recognise: Stage | None = None
    speak: bool = False

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages except the language model, in the order of the data."""
        return (*((self.recognise,) if self.recognise else ()), *((Stage.TTS,) if self.speak else ()))

    def __str__(self) -> str:
        return " > ".join([*([self.recognise] if self.recognise else []), f"llm {self.asks}", *(["tts"] * self.speak)])


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Why a condition cannot be answered, and which option fixes it."""

    reason: str


def routes_of(direct: Collection[Condition], stages: Collection[Stage], llm: str) -> dict[Condition, Route | NoRoute]:
    """A route for each of the six conditions.

    Args:
        direct: the conditions that the language model may be asked in.
        stages: the stages that are available.
        llm: the language model's name, for reasons.
    """
    return {condition: _route(condition, direct, stages, llm) for condition in CONDITIONS}


def _route(condition: Condition, direct: Collection[Condition], stages: Collection[Stage], llm: str) -> Route | NoRoute:
    """The route with the fewest stages.

    Of two with one stage each, the one in which the model takes the carrier itself is preferred (the outer loop runs
    over inputs): a transcript drops what the voice or the picture holds beyond its words.
    """
    fewest_missing: tuple[Stage, ...] | None = None
    # The carrier's own modality first, then text; `dict.fromkeys` drops the duplicate if they are the same.
    for source in dict.fromkeys((condition.input, Modality.TEXT)):
        for output in dict.fromkeys((condition.output, Modality.TEXT)):
            asks = Condition(source, output)
            if asks not in direct:
                continue
            route = Route(
                asks,
                recognise=_INPUT_STAGE[condition.input] if source is not condition.input else None,
                speak=output is not condition.output,
            )
            # A missing stage does not end the search: another route may need fewer.
            missing = tuple(stage for stage in route.stages if stage not in stages)
            if not missing:
                return route
            if fewest_missing is None or len(missing) < len(fewest_missing):
                fewest_missing = missing
    if fewest_missing is None:
        return NoRoute(f"the LLM {llm} supports neither {condition} nor t2t")
    return NoRoute("; ".join(MISSING_STAGE[stage] for stage in fewest_missing))


def capability_of(
    route: Route | NoRoute, llm: Mapping[Condition, Capability], descriptions: Mapping[Stage, str]
) -> Capability:
    """The condition's entry in the card: native only if the model answers without a stage and declares it native.

    Args:
        llm: what the language model declares.
        descriptions: of each stage, for the reason ("ASR by faster-whisper").
    """
    if isinstance(route, NoRoute):
        return Capability(Support.UNSUPPORTED, route.reason)
    declared = llm[route.asks]
    reasons = [descriptions[stage] for stage in route.stages]
    if not reasons:
        return declared
    if declared.support is Support.ASSISTED:
        reasons.append(declared.reason or "the LLM is itself assisted")
    return Capability(Support.ASSISTED, ", ".join(reasons))
