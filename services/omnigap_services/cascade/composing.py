"""The card of a cascade: what its brain can do, alone and with help, and the digests of all its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from omnigap.errors import ContractError
from omnigap.vocabulary import Architecture, Condition, Modality, Reason
from omnigap_services.adapter import Card, Voice
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.cascade.routes import NoRoute, Route, capability_of
from omnigap_services.cascade.senses import Helpers
from omnigap_services.cascade.thinking import Brain

_BLANK = Card(name="", conditions={})


def composed_card(
    options: CascadeOptions, brain: Brain, routes: Mapping[Condition, Route | NoRoute], helpers: Helpers
) -> Card:
    """Who a cascade of these parts is.

    Raises:
        ContractError: for a brain that is to speak and declares no rate.
    """
    own, senses = brain.card, [sense for sense in (helpers.ears, helpers.reader) if sense is not None]
    asked = {route.asks for route in routes.values() if isinstance(route, Route)}
    takes = {condition.input for condition in asked}
    questions = options.concurrency or own.max_concurrent + options.max_batch_size
    hears, sees = Modality.SPEECH in takes, Modality.IMAGE in takes
    return Card(
        name=options.name or (own.name if brain.part is None else f"cascade-{own.name}"),
        conditions={
            condition: capability_of(route, own.conditions, helpers.words) for condition, route in routes.items()
        },
        architecture=options.architecture or (own.architecture if hears and sees else None) or Architecture.CASCADE,
        weights_revision=own.weights_revision,
        settings={**own.settings, **_settings(options, brain, asked, helpers)},
        libraries=own.libraries,
        parts=tuple(part for part in (*(helper.part for helper in helpers.all), brain.part) if part is not None),
        voices=_voices(brain, asked, helpers),
        languages=own.languages,
        # A thread for each question: what owns a device inside takes one of them after the other.
        workers=questions,
        max_concurrent=questions,
        input_sample_rate_hz=own.input_sample_rate_hz if hears else _BLANK.input_sample_rate_hz,
        output_sample_rate_hz=_output_rate(brain, asked, helpers),
        max_audio_seconds=_least(
            [own.max_audio_seconds if hears else 0, *(sense.max_audio_seconds for sense in senses)],
            _BLANK.max_audio_seconds,
        ),
        max_image_pixels=int(
            _least(
                [own.max_image_pixels if sees else 0, *(sense.max_image_pixels for sense in senses)],
                _BLANK.max_image_pixels,
            )
        ),
        max_text_chars=own.max_text_chars,
    )


def _settings(options: CascadeOptions, brain: Brain, asked: Iterable[Condition], helpers: Helpers) -> dict[str, str]:
    """What is decided here and changes answers."""
    settings = {}
    if helpers.ears is not None:
        # Which ears it has: the report tells when they are the scorer's own.
        settings["asr.weights_revision"] = helpers.ears.weights_revision
    if brain.part is not None:
        settings["direct"] = " ".join(sorted(condition.name for condition in asked))
        settings["nothing_perceived"] = brain.nothing
        settings["reader_prompt"] = options.reader_prompt
        settings["plain_speech"] = str(options.plain_speech)
    return settings


def _voices(brain: Brain, asked: Iterable[Condition], helpers: Helpers) -> tuple[Voice, ...]:
    """Those of the parts that speak, each name once."""
    voices = brain.card.voices if _speaks(asked) else ()
    voices += helpers.mouth.voices if helpers.mouth is not None else ()
    return tuple({voice.name: voice for voice in reversed(voices)}.values())[::-1]


def _output_rate(brain: Brain, asked: Iterable[Condition], helpers: Helpers) -> int:
    """The brain's own, which is then left as it comes, else the voice's; 0 where nobody speaks."""
    if not _speaks(asked):
        return helpers.mouth.sample_rate if helpers.mouth is not None else 0
    if not brain.card.output_sample_rate_hz:
        text = (
            f"the brain {brain.card.name} is to speak, but declares output_sample_rate_hz = 0: leave it out of direct"
        )
        raise ContractError(Reason.BAD_REQUEST, text)
    return brain.card.output_sample_rate_hz


def _speaks(asked: Iterable[Condition]) -> bool:
    return any(condition.output is Modality.SPEECH for condition in asked)


def _least(limits: Iterable[float], default: float) -> float:
    """The smallest limit of those that set one."""
    return min((limit for limit in limits if limit > 0), default=default)
