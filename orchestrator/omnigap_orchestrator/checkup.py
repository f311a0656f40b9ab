"""The checks of `doctor`: configuration, items, folder, disk, fonts, endpoints."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from omnigap.client import GenerateClient
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import CarrierError, image_styles, render_text
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import COMPOSE_PORTS, COMPOSE_PROFILES, Role
from omnigap_orchestrator.fleet.choose import lists_role, services_of
from omnigap_orchestrator.items import Item, ItemError, load_items
from omnigap_orchestrator.judging import RubricError
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
from omnigap_orchestrator.pipeline.scope import RunScope, lost_models, metric_rules, roster_of
from omnigap_orchestrator.pipeline.state import read_rubrics
from omnigap_orchestrator.run_checks import fitted, shipped_unheard, unheard, unjudged
from omnigap_orchestrator.scoring import JUDGE, metric_of

LOW_DISK_BYTES = 2 * 2**30


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and where it is not ok, what mends it."""

    check: str
    status: Status
    message: str


async def checkup(
    config: Config, folder: RunFolder, items: Sequence[Item] | None = None, source: str = ""
) -> list[Finding]:
    """Runs every check; none of them changes anything but the run's folder, which is made.

    Args:
        items: those of a run that is there already; None: the configuration's.
        source: whose configuration and items these are, where that is worth a line.
    """
    findings = [Finding("configuration", Status.OK, source)] if source else []
    if items is None:
        items, found = _read(config)
    else:
        found = _counted(items)
    findings += [found, _folder(folder), _disk(folder), *_fonts(config, items), *_hearing(config, items)]
    findings += [*_judging(config, items)]
    findings += [Finding("models", Status.FAILED, why) for why in lost_models(config, RunScope())]
    proxy = config.network.proxy
    second = config.second_scorer.endpoints if config.second_scorer is not None else ()
    # A run is whole without it, so its absence is no fault.
    others = [_endpoint("second scorer", address, Status.WARNING, proxy=proxy) for address in second]
    roster = roster_of(config)
    if roster is None:
        return [*findings, _embedded(config), *await _compose(), *await asyncio.gather(*others)]
    places = [(f"model {name}", address) for name, group in roster.models.items() for address in group]
    places += [("tts", address) for address in roster.tts] + [("judge", address) for address in roster.judge]

    def hears(card: pb.DescribeResponse) -> str:
        return unheard(config, items, card.languages)

    checks = [_endpoint(name, address, Status.FAILED, proxy=proxy) for name, address in places]
    checks += [_endpoint("scorer", address, Status.FAILED, hears, proxy) for address in roster.scorer]
    return [*findings, *await asyncio.gather(*checks, *others)]


def _read(config: Config) -> tuple[tuple[Item, ...], Finding]:
    try:
        items = load_items(config.items)
    except ItemError as error:
        return (), Finding("items", Status.FAILED, str(error))
    return items, _counted(items)


def _counted(items: Sequence[Item]) -> Finding:
    return Finding("items", Status.OK, f"{len(items)} items in {len({item.task for item in items})} tasks")


def _folder(folder: RunFolder) -> Finding:
    try:
        folder.make()
        with folder.locked():
            pass
    except FolderError as error:
        return Finding("run folder", Status.FAILED, str(error))
    return Finding("run folder", Status.OK, f"{folder.root} can be written")


def _disk(folder: RunFolder) -> Finding:
    place = folder.root
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB free at {place}"
    if free < LOW_DISK_BYTES:
        return Finding("disk", Status.WARNING, f"{text}: speech answers may fill it, choose another --run-dir")
    return Finding("disk", Status.OK, text)


def _judging(config: Config, items: Sequence[Item]) -> list[Finding]:
    """The rubrics, and whether somebody is there to judge what has a judge for its metric."""
    rules = metric_rules(config)
    judged = sum(metric_of(item, rules) == JUDGE for item in items)
    if config.judge is None:
        text = unjudged(config, items)
        return [Finding("judge", Status.WARNING, text)] if text else []
    try:
        rubrics = read_rubrics(config.judge)
    except RubricError as error:
        return [Finding("judge", Status.FAILED, str(error))]
    if not config.judge.endpoints and not lists_role(config, Role.JUDGE):
        text = "[judge] has no endpoints, and no service of the fleet has the role judge: write one of the two"
        return [Finding("judge", Status.FAILED if judged else Status.WARNING, text)]
    named = ", ".join(f"{rubric.name} ({rubric.scale})" for rubric in rubrics or ())
    return [Finding("judge", Status.OK, f"{judged} items are judged; rubrics {named}")]


def _hearing(config: Config, items: Sequence[Item]) -> list[Finding]:
    """Whether the shipped scorer, where it would be taken, knows the items' languages; endpoints say it themselves."""
    why = shipped_unheard(config, items)
    return [Finding("scorer language", Status.FAILED, why)] if why else []


def _fonts(config: Config, items: Sequence[Item]) -> list[Finding]:
    findings = []
    config = fitted(config, items)
    # Some letters that each font has, and every letter that is to be drawn.
    drawn = {sign for item in items if Modality.IMAGE not in item.carriers for sign in item.typed}
    text = "What is the capital of France? " + "".join(sorted(drawn))
    for style in image_styles(config.carriers.image):
        try:
            render_text(text, style)
        except CarrierError as error:
            findings.append(Finding("font", Status.FAILED, str(error)))
        else:
            findings.append(Finding("font", Status.OK, f"{Path(style.font).name} at {style.size} pixels"))
    return findings


def _embedded(config: Config) -> Finding:
    # Asked without importing them: the orchestrator never loads a service's code.
    missing = [
        name for name in ("espeakng_loader", "faster_whisper", "rapidocr") if importlib.util.find_spec(name) is None
    ]
    if missing:
        text = f"{', '.join(missing)} is not installed: `pip install 'omnigap[embedded]'` brings what the services need"
        return Finding("embedded services", Status.FAILED, text)
    names = ", ".join(spec.name for spec in services_of(config) if spec.role is not Role.READER)
    return Finding("embedded services", Status.OK, f"{names}: nothing that omnigap ships for them is missing here")


async def _compose() -> list[Finding]:
    places = [(name, f"127.0.0.1:{port}") for name, (_, port) in COMPOSE_PORTS.items()]
    found = await asyncio.gather(*(_endpoint(f"compose {name}", at, Status.WARNING) for name, at in places))
    if all(finding.status is Status.WARNING for finding in found):
        return [Finding("compose", Status.OK, "no Compose service answers: runs start their services themselves")]
    return [
        _on_demand(finding, COMPOSE_PROFILES[name]) if name in COMPOSE_PROFILES else finding
        for (name, _), finding in zip(places, found, strict=True)
    ]


def _on_demand(finding: Finding, profile: str) -> Finding:
    """What no run needs is not missed; who wants it learns how it comes up."""
    if finding.status is not Status.WARNING:
        return finding
    text = f"is not up, and `verify` alone asks it: docker compose --profile {profile} up -d --wait"
    return Finding(finding.check, Status.OK, text)


async def _endpoint(
    name: str,
    address: str,
    when_away: Status,
    unfit: Callable[[pb.DescribeResponse], str] = lambda _: "",
    proxy: str = "",
) -> Finding:
    """Whether a service answers; `unfit` says why what it shows of itself won't do, or nothing."""
    async with GenerateClient(address, proxy) as client:
        if not await client.serving(timeout_s=3.0):
            text = f"{address} is not serving: is it started, is the port right, is it still loading?"
            if client.proxy:
                text += f" Does the proxy {client.proxy} ([network] proxy) lead to it?"
            return Finding(name, when_away, text)
        try:
            card = await client.describe()
        except ContractError as error:
            return Finding(name, Status.FAILED, f"{address} does not describe itself: {error.message}")
    if why := unfit(card):
        return Finding(name, Status.FAILED, f"{address}: {why}")
    return Finding(name, Status.OK, f"{address} serves {card.name}, digest {card.digest[:12]}")
