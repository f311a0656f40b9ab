"""Where broken services are noted with the checks that must notice them; `broken_*.py` hold the services."""

from __future__ import annotations

from collections.abc import Callable

from honest_service import Honest

Register = Callable[[type[Honest]], type[Honest]]

FAULTS: list[tuple[type[Honest], set[str]]] = []
DOUBTS: list[tuple[type[Honest], str]] = []


def noticed_by(*checks: str) -> Register:
    """Registers a broken service with the checks that fail on it; all others must not."""

    def register(service: type[Honest]) -> type[Honest]:
        FAULTS.append((service, set(checks)))
        return service

    return register


def doubted_by(check: str) -> Register:
    """Registers a service that only gets a warning, of this check."""

    def register(service: type[Honest]) -> type[Honest]:
        DOUBTS.append((service, check))
        return service

    return register
