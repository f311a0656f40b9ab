"""The card of a cascade: the conditions with and without stages, limits, and the digests of the parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from omnigap.errors import ContractError
from omnigap.vocabulary import Architecture, Condition, Modality, Reason
from omnigap_services.adapter import Card, Voice
from omnigap_services.cascade.llm import LanguageModel
from omnigap_services.cascade.options import StageOptions
from omnigap_services.cascade.routes import NoRoute, Route, capability_of
from omnigap_services.cascade.stages import Stages

_DEFAULTS = Card(name="", conditions={})


def composed_card(
    name: str,
    options: StageOptions,
    llm: LanguageModel,
    routes: Mapping[Condition, Route | NoRoute],
    stages: Stages,
    settings: Mapping[str, str],
    concurrency: int = 0,
) -> Card:
    """The card of a cascade.

    Args:
        settings: of the composition, in addition to those of the language model: everything that changes answers.
        concurrency: questions at once; 0: what the language model takes, and one batch of the in-process ASR.

    Raises:
        ContractError: if the language model is to speak but declares no sample rate.
    """
    own, recognisers = llm.card, [stage for stage in (stages.asr, stages.ocr) if stage is not None]
    asked = {route.asks for route in routes.values() if isinstance(route, Route)}
    inputs = {condition.input for condition in asked}
    takes_speech, takes_images = Modality.SPEECH in inputs, Modality.IMAGE in inputs
    # A question that waits for ASR or TTS does not use the language model, so more are admitted than it takes at once.
    concurrent = concurrency or own.max_concurrent + options.max_batch_size
    if stages.asr is not None:
        # The report compares this with the ASR scorer's: a model whose ASR has the scorer's weights is flagged.
        settings = {**settings, "asr.weights_revision": stages.asr.weights_revision, **stages.asr.card_settings}
    return Card(
        name=name,
        conditions={
            condition: capability_of(route, own.conditions, stages.descriptions) for condition, route in routes.items()
        },
        # A model that takes speech and images itself is measured as what it is; TTS after it does not change that.
        architecture=options.architecture
        or (own.architecture if takes_speech and takes_images else None)
        or Architecture.CASCADE,
        weights_revision=own.weights_revision,
        weights_source=own.weights_source,
        settings={**own.settings, **settings},
        libraries=own.libraries,
        parts=tuple(part for part in (*(stage.part for stage in stages.all), llm.part) if part is not None),
        voices=_voices(llm, asked, stages),
        languages=own.languages,
        # One thread per question: each blocks on its stages. An engine that owns a device serialises its own callers.
        workers=concurrent,
        max_concurrent=concurrent,
        input_sample_rate_hz=own.input_sample_rate_hz if takes_speech else _DEFAULTS.input_sample_rate_hz,
        output_sample_rate_hz=_output_rate(llm, asked, stages),
        max_audio_seconds=_smallest(
            [own.max_audio_seconds if takes_speech else 0, *(stage.max_audio_seconds for stage in recognisers)],
            _DEFAULTS.max_audio_seconds,
        ),
        max_image_pixels=int(
            _smallest(
                [own.max_image_pixels if takes_images else 0, *(stage.max_image_pixels for stage in recognisers)],
                _DEFAULTS.max_image_pixels,
            )
        ),
        max_text_chars=own.max_text_chars,
    )


def _voices(llm: LanguageModel, asked: Iterable[Condition], stages: Stages) -> tuple[Voice, ...]:
    """The voices of the parts that speak; of two with the same name, the language model's."""
    voices = llm.card.voices if _speaks(asked) else ()
    voices += stages.tts.voices if stages.tts is not None else ()
    # A later entry replaces an earlier one in a dict, so it is filled in reverse and reversed again.
    return tuple({voice.name: voice for voice in reversed(voices)}.values())[::-1]


def _output_rate(llm: LanguageModel, asked: Iterable[Condition], stages: Stages) -> int:
    """The language model's rate if it speaks, else the TTS service's; 0 if neither does.

    A card has one output rate. The language model is what is measured, so its audio is passed on unchanged and the
    TTS audio is resampled to it.
    """
    if not _speaks(asked):
        return stages.tts.sample_rate if stages.tts is not None else 0
    if not llm.card.output_sample_rate_hz:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"the LLM {llm.card.name} declares speech output but output_sample_rate_hz = 0: leave its"
            " speech conditions out of direct",
        )
    return llm.card.output_sample_rate_hz


def _speaks(asked: Iterable[Condition]) -> bool:
    return any(condition.output is Modality.SPEECH for condition in asked)


def _smallest(limits: Iterable[float], default: float) -> float:
    """The smallest limit; 0 means that a stage sets none."""
    return min((limit for limit in limits if limit > 0), default=default)
