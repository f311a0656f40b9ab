"""What was measured of recognising espeak's speech, as a warning where a real model or a score depends on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from omnigap.card import SHIPPED_MODELS, has_random_weights, is_shipped_model
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, primary_language
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.choose import models_of_fleet, services_of
from omnigap_orchestrator.fleet.fleet import ServiceSpec
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.preflight.findings import FULL_SCOPE, PreflightScope
from omnigap_orchestrator.preflight.random_weights import tiny_services

ESPEAK = "espeak"
"""Name of the service, in `omnigap-serve --list` and in its card."""

UNRECOGNISED = frozenset({"ko"})
"""Languages in which a real recogniser understood almost nothing of it: docs/korean.md."""

PARTLY_RECOGNISED = frozenset({"en"})
"""Languages in which a real recogniser misrecognised many words: docs/models/tts.md."""


def espeak_warning(languages: Iterable[str], *, questions: bool, answers_of: Collection[str]) -> str:
    """What a person should know before believing scores of speech by espeak; empty if espeak speaks nothing.

    Args:
        languages: BCP-47 tags of the items, one per item.
        questions: espeak reads the questions aloud, and a model that does not ship with omnigap listens.
        answers_of: models whose answers espeak speaks, for an ASR scorer.
    """
    what = ["the questions"] * questions + [f"the answers of {', '.join(answers_of)}"] * bool(answers_of)
    found = Counter(map(primary_language, languages))
    if not what or not found:
        return ""
    bad = {tag: n for tag, n in found.items() if tag in UNRECOGNISED}
    partly = {tag: n for tag, n in found.items() if tag in PARTLY_RECOGNISED}
    unknown = {tag: n for tag, n in found.items() if tag not in UNRECOGNISED | PARTLY_RECOGNISED}
    said = []
    if bad:
        said.append(f"in {_counted(bad)} a real recogniser understood almost nothing of it")
    if partly:
        words = "26 % of the words in sentences" + " and 99 % in bare answers" * bool(answers_of)
        said.append(f"in {_counted(partly)} Whisper tiny.en misrecognised {words}")
    if unknown:
        said.append(f"in {_counted(unknown)} it was not measured whether recognisers understand it")
    keys = ["[tts] endpoints, or a service of the role tts in [fleet.services]"] * questions
    keys += [f"the option tts of {', '.join(answers_of)}"] * bool(answers_of)
    pages = ["docs/korean.md"] * bool(bad or unknown) + ["docs/models/tts.md"] * bool(partly)
    return (
        f"espeak speaks {' and '.join(what)}: {', and '.join(said)}. Use another voice: {', and '.join(keys)} "
        f"({', '.join(pages)})"
    )


def planned_warning(config: Config, items: Sequence[Item], scope: PreflightScope = FULL_SCOPE) -> str:
    """As `espeak_warning`, for a configuration whose services are not connected: only those of the fleet are known."""
    services = {spec.name: spec for spec in services_of(config)}
    voice = next((spec.service for spec in services.values() if spec.role is Role.TTS), "")
    real = _real_models(config)
    speaking = [name for name in real if name in services and _speaks_with_espeak(services[name], services)]
    listening = real if voice == ESPEAK and not config.tts.endpoints else []
    return _warning(config, items, scope, listening, speaking)


def connected_warning(
    config: Config, items: Sequence[Item], tts: pb.DescribeResponse | None, models: Mapping[str, pb.DescribeResponse]
) -> str:
    """As `espeak_warning`, from the cards of the connected services.

    Args:
        tts: card of the voice of the questions; None if there is none.
        models: cards by the name of the model in the run; empty if only other services are connected.
    """
    real = [name for name, card in models.items() if not (is_shipped_model(card) or has_random_weights(card))]
    speaking = [name for name in real if any((part.role, part.name) == ("tts", ESPEAK) for part in models[name].parts)]
    listening = (real if models else _real_models(config)) if tts is not None and tts.name == ESPEAK else []
    return _warning(config, items, FULL_SCOPE, listening, speaking)


def _real_models(config: Config) -> list[str]:
    """The models of a configuration except those of the fleet that ship with omnigap or get random weights."""
    shipped = {spec.name for spec in services_of(config) if spec.service in SHIPPED_MODELS}
    tiny = {spec.name for spec, _ in tiny_services(config)}
    served = {model.name for model in config.models if model.endpoints}
    names = [model.name for model in config.models] or models_of_fleet(config)
    return [name for name in names if name in served or name not in shipped | tiny]


def _warning(
    config: Config, items: Sequence[Item], scope: PreflightScope, listening: Sequence[str], speaking: Sequence[str]
) -> str:
    conditions = scope.conditions_of(config)
    asked = {model.name: model.conditions for model in config.models if model.conditions is not None}

    def takes_part(name: str, role: str) -> bool:
        mine = [c for c in conditions if c in asked.get(name, conditions)]
        return any(getattr(c, role) is Modality.SPEECH for c in mine)

    questions = any(takes_part(name, "input") for name in listening)
    answers_of = [name for name in speaking if takes_part(name, "output")]
    # Items with a recording of their own are not read aloud, but they are answered.
    chosen = [item for item in items if answers_of or Modality.SPEECH not in item.carriers]
    return espeak_warning((item.language for item in chosen), questions=questions, answers_of=answers_of)


def _speaks_with_espeak(spec: ServiceSpec, services: Mapping[str, ServiceSpec]) -> bool:
    named = spec.options.get("tts")
    part = services.get(named[1:]) if isinstance(named, str) and named.startswith("@") else None
    return part is not None and part.service == ESPEAK


def _counted(languages: Mapping[str, int]) -> str:
    return ", ".join(f"{tag} ({count} item{'s' * (count != 1)})" for tag, count in sorted(languages.items()))
