"""Which way a question goes in each condition: straight to the brain, or through what hears, reads, speaks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import Capability


class Help(StrEnum):
    """What a brain may need help with."""

    HEARING = "ears"
    READING = "reader"
    SPEAKING = "tts"


_SENSE = {Modality.SPEECH: Help.HEARING, Modality.IMAGE: Help.READING}

MISSING = {
    Help.HEARING: "nobody hears for it: set ears = host:port of an ASR service, or no ears for the engine inside",
    Help.READING: "nobody reads for it: set reader = host:port of an OCR service, or no reader for the OCR inside",
    Help.SPEAKING: "no TTS service configured: set tts = host:port",
}
"""What mends a condition that lacks a part."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one condition is answered.

    Attributes:
        asks: the condition that the brain is asked in.
        sense: what turns the carrier into text before.
        voice: whether the brain's text is spoken by another after.
    """

    asks: Condition
    sense: Help | None = None
    voice: bool = False

    @property
    def helps(self) -> tuple[Help, ...]:
        """In the order of the data."""
        return (*((self.sense,) if self.sense else ()), *((Help.SPEAKING,) if self.voice else ()))

    def __str__(self) -> str:
        return " > ".join([*([self.sense] if self.sense else []), f"brain {self.asks}", *(["tts"] * self.voice)])


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Why a condition cannot be answered, and what mends it."""

    reason: str


def routes_of(straight: Collection[Condition], helps: Collection[Help], brain: str) -> dict[Condition, Route | NoRoute]:
    """A route for each of the six conditions.

    Args:
        straight: the conditions that the brain is asked in.
        helps: what others can do for it.
        brain: its name, for reasons.
    """
    return {condition: _route(condition, straight, helps, brain) for condition in CONDITIONS}


def _route(
    condition: Condition, straight: Collection[Condition], helps: Collection[Help], brain: str
) -> Route | NoRoute:
    """The route with the least help; what the brain perceives by itself comes before what it says by itself."""
    best: tuple[Help, ...] | None = None
    for source in dict.fromkeys((condition.input, Modality.TEXT)):
        for output in dict.fromkeys((condition.output, Modality.TEXT)):
            asks = Condition(source, output)
            if asks not in straight:
                continue
            route = Route(
                asks,
                sense=_SENSE[condition.input] if source is not condition.input else None,
                voice=output is not condition.output,
            )
            missing = tuple(help_ for help_ in route.helps if help_ not in helps)
            if not missing:
                return route
            if best is None or len(missing) < len(best):
                best = missing
    if best is None:
        return NoRoute(f"the brain {brain} answers neither {condition} nor text in text")
    return NoRoute("; ".join(MISSING[help_] for help_ in best))


def capability_of(
    route: Route | NoRoute, brain: Mapping[Condition, Capability], words: Mapping[Help, str]
) -> Capability:
    """How a condition stands in the card: native where the brain is alone with it and calls it so.

    Args:
        brain: what the brain declares.
        words: what each helper does, for the reason ("the ASR ... hears").
    """
    if isinstance(route, NoRoute):
        return Capability(Support.UNSUPPORTED, route.reason)
    declared = brain[route.asks]
    helpers = [words[help_] for help_ in route.helps]
    if not helpers:
        return declared
    if declared.support is Support.ASSISTED:
        helpers.append(declared.reason or "the brain has help of its own")
    return Capability(Support.ASSISTED, ", ".join(helpers))
