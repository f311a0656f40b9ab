"""The checks of `doctor`: the preflight, and whether the configured services answer and fit."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import omnigap
from omnigap.card import has_random_weights
from omnigap.client import GenerateClient
from omnigap.errors import ContractError
from omnigap_orchestrator.config import Config, FleetKind
from omnigap_orchestrator.fleet import Required, Role
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.fleet.compose import ComposeService, in_compose, look_for_compose, start_command
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import FLEET_META, JOURNAL, read_meta
from omnigap_orchestrator.pool.addresses import HostNames, LookUp, look_up
from omnigap_orchestrator.preflight.checks import check_plan, read_items, resolve_fonts
from omnigap_orchestrator.preflight.findings import FULL_SCOPE, Finding, Status
from omnigap_orchestrator.preflight.random_weights import random_service
from omnigap_orchestrator.preflight.services import ServiceCard, check_services

_SERVING_TIMEOUT_S = 3.0
_EMBEDDED_PACKAGES = ("espeakng_loader", "faster_whisper", "rapidocr")


async def diagnose(
    config: Config, folder: Path, items: Sequence[Item] | None = None, source: str = ""
) -> list[Finding]:
    """All checks of a run, and of the services that it would call. Changes nothing.

    Args:
        folder: folder of the run; need not exist.
        items: items of a stored run; None means those of the configuration.
        source: where configuration and items come from; reported as a finding if not empty.
    """
    found = [Finding.ok("configuration", source)] if source else []
    if items is None:
        items, unread = read_items(config)
        found += unread
    config, chosen = resolve_fonts(config, items)
    used = read_meta(folder / JOURNAL).get(FLEET_META)
    checked = await _check_endpoints(config, items, used)
    return [*found, *chosen, *check_plan(config, items, FULL_SCOPE, folder), *checked]


async def _check_endpoints(config: Config, items: Sequence[Item], used: str | None) -> list[Finding]:
    """The configured endpoints; without any, the embedded services and Compose's.

    Args:
        used: the fleet that the run in this folder used so far, if any.
    """
    places = [
        (f"model {model.name}", Role.MODEL, model.name, place) for model in config.models for place in model.endpoints
    ]
    judge = config.judge.endpoints if config.judge is not None else ()
    for role, addresses in (
        (Role.TTS, config.tts.endpoints),
        (Role.JUDGE, judge),
        (Role.SCORER, config.scorer.endpoints),
    ):
        places += [(role.value, role, role.value, place) for place in addresses]
    proxy = config.network.proxy
    asked = [
        check_endpoint(check, place, Status.FAILED, (config, items, role, name), proxy)
        for check, role, name, place in places
    ]
    second = config.second_scorer.endpoints if config.second_scorer is not None else ()
    # A run is complete without a second scorer, so its absence is only a warning.
    asked += [check_endpoint("second scorer", place, Status.WARNING, proxy=proxy) for place in second]
    kind = config.fleet.kind if config.fleet.kind is not FleetKind.AUTO else used
    fleet = []
    if not places:
        # The orchestrator's container has no services to start.
        fleet = [] if in_compose() else [_embedded(config)]
        fleet += await _compose(needed=in_compose() or kind == FleetKind.COMPOSE)
    return [*fleet, *(finding for found in await asyncio.gather(*asked) for finding in found)]


async def check_endpoint(
    check: str,
    address: str,
    if_unavailable: Status,
    used_for: tuple[Config, Sequence[Item], Role, str] | None = None,
    proxy: str = "",
    *,
    of_this_version: bool = False,
    look_up: LookUp = look_up,
) -> list[Finding]:
    """Whether a service answers and fits the run, at every address of its host name.

    Args:
        if_unavailable: status of the finding if it does not answer.
        used_for: configuration, items, role and name to check its card against.
        proxy: `[network] proxy`; loopback addresses are reached without it.
        of_this_version: warn if it runs another version of omnigap.
        look_up: finds the addresses of host names.
    """
    places, _ = await HostNames(proxy, look_up).places([address])
    found = await asyncio.gather(
        *(_check_replica(check, place.client(proxy), if_unavailable, used_for, of_this_version) for place in places)
    )
    return [finding for findings in found for finding in findings]


async def _check_replica(
    check: str,
    replica: GenerateClient,
    if_unavailable: Status,
    used_for: tuple[Config, Sequence[Item], Role, str] | None,
    of_this_version: bool,
) -> list[Finding]:
    """As `check_endpoint`; closes the client."""
    address = replica.address
    async with replica as client:
        if not await client.serving(timeout_s=_SERVING_TIMEOUT_S):
            text = f"{address} is not serving: is it started, is the port right, is it still loading?"
            if client.proxy:
                text += f" Can the proxy {client.proxy} ([network] proxy) reach it?"
            return [Finding(check, if_unavailable, text)]
        try:
            card = await client.describe()
        except ContractError as error:
            return [Finding.failed(check, f"Describe of {address} failed: {error.message}")]
    found: list[Finding] = []
    if card.outdated:
        found.append(Finding.warning(check, f"it should be started again: {card.outdated}"))
    version = card.settings.get("service.contract", "")
    if of_this_version and version not in ("", omnigap.__version__):
        text = (
            f"its image has omnigap {version}, and this is {omnigap.__version__}: "
            "`docker compose up -d --build --wait` updates it"
        )
        found.append(Finding.warning(check, text))
    if used_for is not None:
        config, items, role, name = used_for
        found += check_services(config, items, [ServiceCard(role, name, card)])
    elif has_random_weights(card):
        found.append(Finding.warning(check, random_service(card)))
    answers = Finding.ok(check, f"{address} serves {card.name}, digest {card.digest[:12]}")
    # A service that fails a check is not reported as ok as well.
    fails = any(each.status is Status.FAILED for each in found)
    return [
        *([] if fails else [answers]),
        *(Finding(check, each.status, f"{address}: {each.message}") for each in found),
    ]


def _embedded(config: Config) -> Finding:
    # `find_spec` imports nothing: the orchestrator never loads the code of a service.
    missing = [name for name in _EMBEDDED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        text = f"not installed: {', '.join(missing)}; run `pip install 'omnigap[embedded]'`"
        return Finding.failed("embedded services", text)
    names = ", ".join(
        f"{spec.name} (--tiny)" if spec.tiny else spec.name for spec in services_of(config) if spec.role is not Role.OCR
    )
    return Finding.ok("embedded services", f"{names}: all required packages are installed")


async def _compose(*, needed: bool) -> list[Finding]:
    """Compose's services.

    Args:
        needed: the run uses them, so that a missing one is a failure.
    """
    services = await look_for_compose(Required(ocr=True))
    if not needed and not any(each.answers for each in services):
        return [Finding.ok("compose", "no Compose service answers: runs start embedded services")]
    found = await asyncio.gather(*(_compose_service(each, needed) for each in services))
    return [finding for findings in found for finding in findings]


async def _compose_service(service: ComposeService, needed: bool) -> list[Finding]:
    check, start = f"compose {service.name}", start_command([service])
    if service.serves:
        return await check_endpoint(check, service.address, Status.WARNING, of_this_version=True)
    if service.on_demand:
        return [Finding.ok(check, f"not running; needed only by `verify`: {start}")]
    text = (
        f"{service.address or service.name} is not serving ({service.state}): `{start}` starts it, and "
        f"`docker compose ps` and `docker compose logs {service.name}` show what is wrong"
    )
    return [Finding.failed(check, text) if needed else Finding.warning(check, text)]
