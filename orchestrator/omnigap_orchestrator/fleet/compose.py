"""Docker Compose's services: where they are, and which of them answer.

They publish their ports on loopback. In the orchestrator's container they are reached by their names.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from omnigap.client import SERVING, GenerateClient
from omnigap.errors import ContractError
from omnigap.files import SETTINGS_BYTES, read_regular
from omnigap.vocabulary import Reason
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.fleet import Endpoints, Required, StaticFleet, is_required

COMPOSE_PORTS = {
    "espeak": (Role.TTS, 50061),
    "asr": (Role.SCORER, 50062),
    "demo": (Role.MODEL, 50063),
    "ocr": (Role.OCR, 50064),
}
"""The loopback ports that compose.yaml publishes, by service; a test compares the two."""

COMPOSE_PROFILES = {"ocr": "ocr"}
"""Services that start only with a Compose profile; no run needs them."""

IN_COMPOSE = "OMNIGAP_IN_COMPOSE"
"""Environment variable that compose.yaml sets in the orchestrator's container."""

COMPOSE_MODELS = tuple(name for name, (role, _) in COMPOSE_PORTS.items() if role is Role.MODEL)

_TIMEOUT_S = 1.0
_PORT_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(OMNIGAP_[A-Z]+_PORT)=(["']?)(\d*)\2[ \t]*(?:#.*)?$""", re.MULTILINE
)
# Describe fails like this while a service starts, stops or is busy. Anything else is a program of another kind.
_NOT_NOW = frozenset(
    {Reason.NOT_READY, Reason.DRAINING, Reason.BUSY, Reason.TRANSPORT, Reason.DEADLINE_EXCEEDED, Reason.CANCELLED}
)
_ABSENT = ("gRPC status UNAVAILABLE", "gRPC status DEADLINE_EXCEEDED")


@dataclass(frozen=True, slots=True)
class ComposeService:
    """One of Compose's services, and the result of a look at its port.

    Attributes:
        address: empty if it is not known.
        answers: a model service is there; it may still be loading.
        state: `SERVING`, or why it can't be called.
    """

    name: str
    role: Role
    address: str
    answers: bool
    state: str

    @property
    def serves(self) -> bool:
        return self.answers and self.state == SERVING

    @property
    def is_foreign(self) -> bool:
        """Whether a gRPC server of another kind uses the port."""
        return bool(self.address) and not self.answers and self.state not in _ABSENT

    @property
    def on_demand(self) -> bool:
        """Whether only a Compose profile starts it."""
        return self.name in COMPOSE_PROFILES


def in_compose() -> bool:
    """Whether this is the orchestrator's container."""
    return bool(os.environ.get(IN_COMPOSE))


def compose_address(name: str) -> str:
    """`host:port` of a service; empty if it publishes a free port, which only the engine knows.

    `OMNIGAP_NAME_PORT` changes the port, in the shell or in the `.env` beside compose.yaml, as it does for Compose.
    """
    port = str(COMPOSE_PORTS[name][1])
    if in_compose():
        return f"{name}:{port}"
    variable = _port_variable(name)
    changed = os.environ.get(variable, _settings().get(variable, port))
    return f"127.0.0.1:{changed if changed.isdecimal() else port}" if changed else ""


def _port_variable(name: str) -> str:
    return f"OMNIGAP_{name.upper()}_PORT"


def _settings() -> dict[str, str]:
    """The ports that `.env` sets for Compose, if the working directory is a clone."""
    if not Path("compose.yaml").is_file():
        return {}
    try:
        text = read_regular(Path(".env"), SETTINGS_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {}
    return {variable: port for variable, _, port in _PORT_LINE.findall(text)}


async def look_for_compose(required: Required) -> tuple[ComposeService, ...]:
    """The required services of Compose, each with its state now."""
    wanted = [(name, role) for name, (role, _) in COMPOSE_PORTS.items() if is_required(name, role, required)]
    # All ports at once: each check waits up to a second for a port that nothing listens on.
    return tuple(await asyncio.gather(*(_look(name, role) for name, role in wanted)))


async def _look(name: str, role: Role) -> ComposeService:
    address = compose_address(name)
    if not address:
        variable, port = _port_variable(name), COMPOSE_PORTS[name][1]
        state = (
            f"{variable} is empty, so it has a free port: `docker compose port {name} {port}` prints it, and a "
            "configuration can name it as an endpoint"
        )
        return ComposeService(name, role, address, False, state)
    async with GenerateClient(address) as client:
        state = await client.health(timeout_s=_TIMEOUT_S)
        # A service listens and reports NOT_SERVING before it has loaded its model, and while it stops.
        answers = state in (SERVING, "NOT_SERVING")
        if state == SERVING:
            # Other gRPC servers have the same health service: one of them may use the port.
            try:
                await client.describe(timeout_s=5 * _TIMEOUT_S)
            except ContractError as error:
                answers, state = error.reason in _NOT_NOW, error.message
    return ComposeService(name, role, address, answers, state)


def start_command(services: Iterable[ComposeService]) -> str:
    """The command that starts these services of Compose, with their profiles."""
    profiles = dict.fromkeys(COMPOSE_PROFILES[each.name] for each in services if each.on_demand)
    return " ".join(["docker compose", *(f"--profile {name}" for name in profiles), "up -d --wait"])


def waiting_note(absent: Sequence[ComposeService], patience_s: float) -> str:
    """Which of Compose's services are waited for, and how to start them or to use other ones."""
    named = ", ".join(f"{each.name} ({': '.join(filter(None, (each.address, each.state)))})" for each in absent)
    verb = "does" if len(absent) == 1 else "do"
    return (
        f"Compose's {named} {verb} not serve: waiting up to {patience_s:g} s ([run] patience_s). "
        f"`{start_command(absent)}` starts Compose's services; --fleet embedded uses child processes instead"
    )


def compose_fleet(services: Sequence[ComposeService]) -> StaticFleet:
    """The endpoints of these services, also of those that do not answer yet: their cells stay pending."""

    def addresses(role: Role) -> dict[str, tuple[str, ...]]:
        return {each.name: (each.address,) if each.address else () for each in services if each.role is role}

    endpoints = Endpoints(
        models=addresses(Role.MODEL),
        scorer=tuple(chain.from_iterable(addresses(Role.SCORER).values())),
        tts=tuple(chain.from_iterable(addresses(Role.TTS).values())),
        ocr=tuple(chain.from_iterable(addresses(Role.OCR).values())),
    )
    places = ", ".join(f"{each.name} at {each.address or 'a free port'}" for each in services)
    what = "Compose's services answer" if any(each.answers for each in services) else "Compose's services"
    return StaticFleet(endpoints, f"{what} ({places})", FleetKind.COMPOSE)
