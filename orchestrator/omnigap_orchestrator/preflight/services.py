"""Checks of connected services against the items: languages, voices, and text-to-text support of the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import REFERENCE, Modality, Support, primary_language
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.pool import support_in
from omnigap_orchestrator.preflight.espeak_voice import connected_warning
from omnigap_orchestrator.preflight.findings import FULL_SCOPE, Finding, PreflightScope
from omnigap_orchestrator.preflight.random_weights import connected_finding


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """A connected service.

    Attributes:
        name: name of a model; for other services, the role.
        card: its Describe response.
    """

    role: Role
    name: str
    card: pb.DescribeResponse


def check_services(config: Config, items: Sequence[Item], cards: Iterable[ServiceCard]) -> list[Finding]:
    """Declarations of services that would make cells fail, or their answers questionable."""
    checks = {
        Role.SCORER: _check_scorer,
        Role.MODEL: _check_model,
        Role.TTS: _check_voices,
        Role.JUDGE: _check_judge,
    }
    given = list(cards)
    found = [each for card in given if card.role in checks for each in checks[card.role](config, items, card)]
    tts = next((service.card for service in given if service.role is Role.TTS), None)
    models = {service.name: service.card for service in given if service.role is Role.MODEL}
    if text := connected_warning(config, items, tts, models):
        found.append(Finding.warning("voice", text))
    return [*connected_finding((service.role, service.name, service.card) for service in given), *found]


def _check_scorer(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    why = unknown_to_scorer(config, items, service.card.languages)
    return [Finding.failed(SCORER_LANGUAGE, why)] if why else []


def _check_model(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    """Languages of the items that a model does not declare."""
    # Only a warning: many models answer in languages that they do not declare.
    unknown = unknown_languages((item.language for item in items), service.card.languages)
    if not unknown:
        return []
    known = ", ".join(sorted({primary_language(tag) for tag in service.card.languages}))
    text = f"model {service.name} declares the languages {known}, and there are items in {_counted(unknown)}"
    return [Finding.warning("model language", text)]


def _check_voices(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    """Configured voices whose declared language is not that of the items."""
    # Voices that the service does not list are not checked: it may accept more names than it declares.
    speaks = {voice.name: primary_language(voice.language) for voice in service.card.voices}
    named = [voice for voice in config.carriers.speech.voices if voice in speaks]
    languages = {primary_language(item.language) for item in items if Modality.SPEECH not in item.carriers}
    mismatched = [f"{voice} ({speaks[voice]})" for voice in named if languages - {speaks[voice]}]
    if not mismatched:
        return []
    text = (
        f"the voices {', '.join(mismatched)} would speak items in {', '.join(sorted(languages))}: remove "
        f"[carriers.speech] voices, so that {service.card.name} uses a voice of each item's language, or choose others"
    )
    return [Finding.warning("voice language", text)]


def _check_judge(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    """A judge must answer text with text."""
    support, reason = support_in(service.card, REFERENCE)
    if support is not Support.UNSUPPORTED:
        return []
    text = f"the judge {service.card.name} does not support {REFERENCE} ({reason}): change [judge] endpoints"
    return [Finding.failed("judge", text)]


SCORER_LANGUAGE = "scorer language"


def check_clip_languages(config: Config, items: Sequence[Item], card: pb.DescribeResponse) -> list[Finding]:
    """Whether the ASR scorer knows the languages of the clips that `calibrate` synthesises.

    Args:
        items: one per clip.
    """
    unknown = unknown_languages((config.scorer.language or item.language for item in items), card.languages)
    if not unknown:
        return []
    text = (
        f"the ASR scorer supports {_languages(card.languages)}, and {unknown.total()} of {len(items)} clips would be "
        f"in {', '.join(sorted(unknown))}: set [scorer] endpoints to a scorer that supports them, or the option "
        "checkpoint of asr in [fleet.services] (docs/korean.md)"
    )
    return [Finding.failed(SCORER_LANGUAGE, text)]


def unknown_to_scorer(
    config: Config, items: Iterable[Item], known: Collection[str], scope: PreflightScope = FULL_SCOPE
) -> str:
    """Why an ASR scorer can't transcribe the speech answers, and what to change; empty if it can.

    Args:
        known: BCP-47 tags that the scorer declares; empty means that it supports any language.
    """
    if not any(c.output is Modality.SPEECH for c in scope.conditions_of(config)):
        return ""
    unknown = unknown_languages((config.scorer.language or item.language for item in items), known)
    if not unknown:
        return ""
    text = ",".join(c.name for c in config.run.conditions if c.output is Modality.TEXT)
    text_only = f", or ask for text answers only (--conditions {text})" if text else ""
    return (
        f"the ASR scorer supports {_languages(known)}, and there are items in {_counted(unknown)}: use a multilingual "
        "Whisper, at [scorer] endpoints or as the option checkpoint of asr in [fleet.services] "
        f"(docs/korean.md){text_only}"
    )


def unknown_languages(wanted: Iterable[str], known: Collection[str]) -> Counter[str]:
    """Wanted primary languages that are not known, with their counts; empty if `known` is empty."""
    tags = {primary_language(tag) for tag in known}
    return Counter(language for language in map(primary_language, wanted) if tags and language not in tags)


def _languages(known: Collection[str]) -> str:
    """The languages by tag, or their number if there are many."""
    tags = {primary_language(tag) for tag in known}
    return ", ".join(sorted(tags)) if len(tags) < 8 else f"{len(tags)} languages"


def _counted(languages: Counter[str]) -> str:
    return ", ".join(f"{language} ({count})" for language, count in sorted(languages.items()))
