"""Services with random weights (`omnigap-serve --tiny`), as a warning before a run and in its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from omnigap.card import has_random_weights
from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.fleet.fleet import ServiceSpec, references
from omnigap_orchestrator.preflight.findings import Finding

RANDOM_WEIGHTS = "random weights"
"""Name of the check."""

_TITLES = {Role.SCORER: "the ASR scorer", Role.TTS: "the voice", Role.OCR: "the OCR service", Role.JUDGE: "the judge"}


def random_parts(card: pb.DescribeResponse) -> tuple[str, ...]:
    """Role and name of each part of a service that has random weights, such as "llm hf-chat-tiny"."""
    return tuple(f"{part.role} {part.name}" for part in card.parts if part.random_weights)


def connected_finding(cards: Iterable[tuple[Role, str, pb.DescribeResponse]]) -> list[Finding]:
    """One warning that names every connected service with random weights; none without one.

    Args:
        cards: role, name of the model (the role for other services), and card.
    """
    found = [_named(role, name, random_parts(card)) for role, name, card in cards if has_random_weights(card)]
    return _finding(found)


def random_service(card: pb.DescribeResponse) -> str:
    """The warning about one service whose role is not known."""
    parts = ", ".join(random_parts(card))
    return f"{card.name}{f' (its part {parts})' if parts else ''} has random weights (--tiny): its answers mean nothing"


def planned_finding(config: Config, models: Iterable[str]) -> list[Finding]:
    """As `connected_finding`, from the tables of `[fleet.services]` with `tiny = true`.

    Args:
        models: names of the planned models.
    """
    wanted = set(models)
    found = [
        _named(spec.role, spec.name, parts)
        for spec, parts in tiny_services(config)
        if spec.role is not Role.PART and (spec.role is not Role.MODEL or spec.name in wanted)
    ]
    return _finding(found)


def tiny_services(config: Config) -> list[tuple[ServiceSpec, tuple[str, ...]]]:
    """The services that the fleet would start with random weights, each with the parts that have them."""
    if config.fleet.kind in (FleetKind.COMPOSE, FleetKind.STATIC):
        return []
    specs = {spec.name: spec for spec in services_of(config)}
    found = [
        (spec, () if spec.tiny else tuple(_tiny_parts(spec, specs)))
        for spec in specs.values()
        if not _is_replaced(config, spec)
    ]
    return [(spec, parts) for spec, parts in found if spec.tiny or parts]


def _is_replaced(config: Config, spec: ServiceSpec) -> bool:
    """Whether configured endpoints are used instead of a service of the fleet."""
    if config.fleet.kind is FleetKind.EMBEDDED:
        return False
    judge = config.judge.endpoints if config.judge is not None else ()
    of_role = {Role.SCORER: config.scorer.endpoints, Role.TTS: config.tts.endpoints, Role.JUDGE: judge}
    served = [model.name for model in config.models if model.endpoints]
    return spec.name in served if spec.role is Role.MODEL else bool(of_role.get(spec.role))


def _tiny_parts(spec: ServiceSpec, specs: Mapping[str, ServiceSpec]) -> Iterator[str]:
    """The services with `tiny = true` that a service refers to, directly or not."""
    waiting, seen = sorted(references(spec)), {spec.name}
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in specs:
            continue
        seen.add(name)
        if specs[name].tiny:
            yield name
        waiting += sorted(references(specs[name]))


def _named(role: Role, name: str, parts: Iterable[str]) -> str:
    title = f"{_TITLES[role]}" if role in _TITLES else f"model {name}"
    through = ", ".join(parts)
    return f"{title} (its part {through})" if through else title


def _finding(found: list[str]) -> list[Finding]:
    if not found:
        return []
    text = (
        f"random weights (--tiny): {', '.join(found)}. The answers only test that everything is connected: no figure "
        "of this run that depends on them says anything about a model"
    )
    return [Finding.warning(RANDOM_WEIGHTS, text)]
