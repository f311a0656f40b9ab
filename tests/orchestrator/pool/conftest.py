"""Connections to services, closed at the end of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from omnigap_orchestrator.pool import RetryPolicy, Service, connect
from omnigap_orchestrator.pool.addresses import LookUp, look_up
from tests.orchestrator.pool.asking import PATIENT, Connect


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
async def connected(notes: list[str]) -> AsyncIterator[Connect]:
    """Connects to replicas; the pools are closed at the end."""
    services: list[Service] = []

    async def start(*addresses: str, policy: RetryPolicy = PATIENT, look_up: LookUp = look_up) -> Service:
        service = await connect("omni", addresses, policy, notes.append, look_up=look_up)
        assert service is not None
        services.append(service)
        return service

    yield start
    for service in services:
        await service.pool.close()
