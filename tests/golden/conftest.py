"""A fixture that fails a test if it opens a channel or starts a service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NoReturn

import grpc
import pytest


@pytest.fixture
def no_call(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails the test if a gRPC channel is opened or a process is started, even if the error is caught."""
    attempts: list[str] = []

    def refuse(*target: object, **_: object) -> NoReturn:
        attempts.append(str(target[:1]))
        raise AssertionError(f"reading a stored run must not call a service: {target[:1]}")

    for module in (grpc, grpc.aio):
        for name in ("insecure_channel", "secure_channel"):
            monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    yield
    assert attempts == []
