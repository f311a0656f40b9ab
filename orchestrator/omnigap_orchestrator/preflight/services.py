"""What services say of themselves, held against the items: languages, voices, and a judge that can read and write."""

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
from omnigap_orchestrator.preflight.findings import WHOLE, Finding, Scope


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """A service that answers.

    Attributes:
        name: of a model; of another service its role.
        card: its answer to Describe.
    """

    role: Role
    name: str
    card: pb.DescribeResponse


def check_services(config: Config, items: Sequence[Item], cards: Iterable[ServiceCard]) -> list[Finding]:
    """What the services that answer say of themselves and would make cells fail, or their answers worth little."""
    checks = {
        Role.SCORER: _check_scorer,
        Role.MODEL: _check_model,
        Role.TTS: _check_voices,
        Role.JUDGE: _check_judge,
    }
    return [found for card in cards if card.role in checks for found in checks[card.role](config, items, card)]


def _check_scorer(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    why = unknown_to_scorer(config, items, service.card.languages)
    return [Finding.failed(SCORER_LANGUAGE, why)] if why else []


def _check_model(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    """A model may answer in a language that it does not declare: this is worth a warning only."""
    unknown = unknown_languages((item.language for item in items), service.card.languages)
    if not unknown:
        return []
    known = ", ".join(sorted({primary_language(tag) for tag in service.card.languages}))
    text = f"model {service.name} says that it knows {known}, and items come in {_counted(unknown)}"
    return [Finding.warning("model language", text)]


def _check_voices(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    """Voices of the configuration that speak another language than the items, of those that the service lists."""
    speaks = {voice.name: primary_language(voice.language) for voice in service.card.voices}
    named = [voice for voice in config.carriers.speech.voices if voice in speaks]
    languages = {primary_language(item.language) for item in items if Modality.SPEECH not in item.carriers}
    foreign = [f"{voice} ({speaks[voice]})" for voice in named if languages - {speaks[voice]}]
    if not foreign:
        return []
    text = (
        f"{', '.join(foreign)} read aloud items in {', '.join(sorted(languages))}: leave [carriers.speech] voices out, "
        f"and {service.card.name} takes a voice of each item's language, or name one of its own"
    )
    return [Finding.warning("voice language", text)]


def _check_judge(config: Config, items: Sequence[Item], service: ServiceCard) -> list[Finding]:
    support, reason = support_in(service.card, REFERENCE)
    if support is not Support.UNSUPPORTED:
        return []
    text = f"the judge {service.card.name} can't answer text as text ({reason}): change [judge]"
    return [Finding.failed("judge", text)]


SCORER_LANGUAGE = "scorer language"


def check_clip_languages(config: Config, items: Sequence[Item], card: pb.DescribeResponse) -> list[Finding]:
    """Whether the scorer knows the languages of answers that are spoken to measure it: clips of others would all fail.

    Args:
        items: one for each answer that is spoken.
    """
    foreign = unknown_languages((config.scorer.language or item.language for item in items), card.languages)
    if not foreign:
        return []
    text = (
        f"the ASR scorer knows {_told(card.languages)}, and {foreign.total()} of {len(items)} answers would be said "
        f"in {', '.join(sorted(foreign))}: name a scorer that hears them at [scorer] endpoints, or give asr in "
        "[fleet.services] another checkpoint (docs/korean.md)"
    )
    return [Finding.failed(SCORER_LANGUAGE, text)]


def unknown_to_scorer(config: Config, items: Iterable[Item], known: Collection[str], scope: Scope = WHOLE) -> str:
    """Why a scorer of these languages cannot score the spoken answers to the items, and what to change; else empty.

    Args:
        known: BCP-47 tags that it declares; none: it does not say, and is believed.
    """
    if not any(c.output is Modality.SPEECH for c in scope.conditions_of(config)):
        return ""
    foreign = unknown_languages((config.scorer.language or item.language for item in items), known)
    if not foreign:
        return ""
    text = ",".join(c.name for c in config.run.conditions if c.output is Modality.TEXT)
    alone = f", or ask for written answers alone (--conditions {text})" if text else ""
    return (
        f"the ASR scorer knows {_told(known)}, and items come in {_counted(foreign)}: their spoken answers need a "
        "multilingual Whisper, at [scorer] endpoints or as the option checkpoint of asr in [fleet.services] "
        f"(docs/korean.md){alone}"
    )


def unknown_languages(wanted: Iterable[str], known: Collection[str]) -> Counter[str]:
    """How often each primary language is wanted that is not known; none where nothing is declared as known."""
    tags = {primary_language(tag) for tag in known}
    return Counter(language for language in map(primary_language, wanted) if tags and language not in tags)


def _told(known: Collection[str]) -> str:
    """The languages by name, or their number where they are many."""
    tags = {primary_language(tag) for tag in known}
    return ", ".join(sorted(tags)) if len(tags) < 8 else f"{len(tags)} languages"


def _counted(languages: Counter[str]) -> str:
    return ", ".join(f"{language} ({count})" for language, count in sorted(languages.items()))
