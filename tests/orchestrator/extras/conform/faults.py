"""Registry of broken services and the checks that must fail or warn; `broken_*.py` define the services."""

from __future__ import annotations

from collections.abc import Callable

from tests.orchestrator.extras.conform.reference_service import ReferenceService

Register = Callable[[type[ReferenceService]], type[ReferenceService]]

FAULTS: list[tuple[type[ReferenceService], set[str]]] = []
WARNINGS: list[tuple[type[ReferenceService], str]] = []


def fails(*checks: str) -> Register:
    """Registers a broken service with the checks that must fail; all other checks must not fail."""

    def register(service: type[ReferenceService]) -> type[ReferenceService]:
        FAULTS.append((service, set(checks)))
        return service

    return register


def warns(check: str) -> Register:
    """Registers a service for which this check must warn and no check must fail."""

    def register(service: type[ReferenceService]) -> type[ReferenceService]:
        WARNINGS.append((service, check))
        return service

    return register
