"""Calls of tests to the pool of a service in plain gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from omnigap.answer import Answer
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool import RetryPolicy, Service
from tests.helpers.served_doubles import PATIENCE_S, complete, text

PATIENT = RetryPolicy(max_attempts=3, first_delay_s=0.01, max_delay_s=0.05, patience_s=PATIENCE_S)
IMPATIENT = RetryPolicy(max_attempts=3, first_delay_s=0.01, max_delay_s=0.05, patience_s=0.2)

Connect = Callable[..., Awaitable[Service]]


def asking(words: str, digest: str = "wire") -> pb.GenerateRequest:
    return pb.GenerateRequest(
        request_id=words, parts=[pb.InputPart(text=words)], output=pb.MODALITY_TEXT, expected_digest=digest
    )


def words_of(request: pb.GenerateRequest) -> str:
    return request.parts[0].text


def echo(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    yield text(words_of(request))
    yield complete()


async def ask_all(service: Service, *words: str) -> list[Answer | BaseException]:
    return await asyncio.gather(
        *(service.pool.call(asking(each, service.digest), PATIENCE_S) for each in words), return_exceptions=True
    )


def texts(answers: list[Answer | BaseException]) -> list[str]:
    return [answer.own_text if isinstance(answer, Answer) else repr(answer) for answer in answers]


def raising(reason: Reason, message: str = "requested by the test") -> ContractError:
    return ContractError(reason, message)
