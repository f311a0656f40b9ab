"""What a fault of the Triton server or of the way to it means in the contract's reasons."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

import grpc
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

from omnigap.channel import proxy_options
from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import OUT_OF_MEMORY
from omnigap_services.loop_thread import LoopThread
from omnigap_services.triton_server.inputs import InputTensor
from omnigap_services.triton_server.options import TritonOptions
from omnigap_services.triton_server.tensors import Array, Signature, signature_of

_HEAD, _TAIL = 150, 450
"""Characters of a server's error that are passed on: of a Python model's traceback, the end says what was wrong."""

# Read in Triton's sources and seen on a running server; the first that fits is taken. Errors within a stream have
# a text and no status.
_TEXTS = (
    (Reason.OUT_OF_MEMORY, OUT_OF_MEMORY),
    (Reason.RATE_LIMITED, ("exceeds maximum queue size",)),
    (Reason.DEADLINE_EXCEEDED, ("request timeout expired",)),
    (Reason.UPSTREAM_UNAVAILABLE, ("request for unknown model", "stub process", "server is stopping", "not ready")),
)

_STATUSES = {
    "UNAVAILABLE": Reason.UPSTREAM_UNAVAILABLE,
    "NOT_FOUND": Reason.UPSTREAM_UNAVAILABLE,
    "CANCELLED": Reason.UPSTREAM_UNAVAILABLE,
    "INVALID_ARGUMENT": Reason.BAD_REQUEST,
    "UNIMPLEMENTED": Reason.BAD_REQUEST,
    "UNAUTHENTICATED": Reason.BAD_REQUEST,
    "PERMISSION_DENIED": Reason.BAD_REQUEST,
    "DEADLINE_EXCEEDED": Reason.DEADLINE_EXCEEDED,
    "RESOURCE_EXHAUSTED": Reason.TOO_LARGE,
}

_ADVICE = {
    "UNAVAILABLE": "start it there, or set url, and ssl where it wants TLS",
    "NOT_FOUND": "load the model, or set model and model_version; then start this service again",
    "UNIMPLEMENTED": "was the model replaced? Start this service again",
}

RETRYABLE = frozenset({Reason.UPSTREAM_UNAVAILABLE, Reason.RATE_LIMITED})
"""What another try may find gone."""


def to_contract_error(error: InferenceServerException | grpc.RpcError, where: str) -> ContractError:
    """The contract's error for what the client raised, or found in a stream."""
    status, said = _status_and_text(error)
    reason = _by_text(said) or _STATUSES.get(status, Reason.MODEL_ERROR)
    advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
    told = f"the Triton server at {where} answered {status or 'in its stream'} ({_cut(said)}){advice}"
    return ContractError(reason, told)


def timeout_error(where: str, timeout_s: float) -> ContractError:
    """Nothing came for too long."""
    text = f"the Triton server at {where} was silent for longer than timeout_s = {timeout_s:g}: raise it"
    return ContractError(Reason.DEADLINE_EXCEEDED, f"{text}, or lower concurrency")


def is_unknown_model(error: InferenceServerException) -> bool:
    """True where the server is there and has no such model or version."""
    return _status_and_text(error)[0] == "NOT_FOUND"


def _status_and_text(error: InferenceServerException | grpc.RpcError) -> tuple[str, str]:
    """Name of the gRPC status, empty for an error within a stream, and the server's words on one line."""
    if isinstance(error, InferenceServerException):
        status, said = str(error.status() or ""), str(error.message() or "")
    elif isinstance(error, grpc.aio.AioRpcError):
        status, said = str(error.code()), error.details() or ""
    else:
        status, said = "", str(error)
    return status.removeprefix("StatusCode."), " ".join(said.split())


def _cut(said: str) -> str:
    return said if len(said) <= _HEAD + _TAIL else f"{said[:_HEAD]} ... {said[-_TAIL:]}"


def _by_text(said: str) -> Reason | None:
    small = said.lower()
    return next((reason for reason, marks in _TEXTS if any(mark in small for mark in marks)), None)


# The way to the server: Triton's own asyncio client, one unary call or one stream a request.

_log = logging.getLogger(__name__)

_PAUSE_S = 1.0
_ASKING_S = 10.0
_REST_S = 5.0
_FIRST_DELAY_S, _MAX_DELAY_S = 0.5, 8.0

# Messages as large as gRPC allows, as Triton's client has them; and after a fault no minute until the next connection.
_CHANNEL = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

Response = Mapping[str, Array]
"""The tensors of one response, by name, without the batch dimension."""

_Errors = (InferenceServerException, grpc.RpcError)


class TritonClient:
    """A client of one server and one model. `ask` may be called from many threads."""

    def __init__(self, options: TritonOptions) -> None:
        self._options = options
        self._loop = LoopThread("triton-client")
        self._client: Any = self._loop.run(self._connect())

    def signature(self) -> Signature:
        """What the server says about the model, once it is there; waits for it at most `wait_s` seconds.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE where nobody answers in time, BAD_REQUEST where the server has no such
                model or version, with the names of those that it has.
        """
        end = time.monotonic() + self._options.wait_s
        while True:
            try:
                return self._loop.run(self._signature())
            except ContractError as error:
                left = end - time.monotonic()
                if error.reason is not Reason.UPSTREAM_UNAVAILABLE or left <= 0:
                    raise
                _log.info("waiting %.0f s more (wait_s): %s", left, error.message)
            time.sleep(min(_PAUSE_S, max(0.0, end - time.monotonic())))

    def ask(
        self,
        signature: Signature,
        inputs: Sequence[InputTensor],
        outputs: Sequence[str],
        take: Callable[[Response], None],
        gone: Callable[[], bool],
    ) -> int | None:
        """Sends a request and hands each response to `take`; the number of further tries that it took.

        Gives None, and the call to the server cancelled, once `gone` is true.

        Raises:
            ContractError: what the server or the way to it had to say. A call is tried again only as long as it brought
                nothing.
        """
        call = self._tried(signature, inputs, outputs, take)
        try:
            return self._loop.run(call, gone)
        except CancelledError:
            return None

    def close(self) -> None:
        """Closes the connection and ends the loop."""
        self._loop.run(self._client.close())
        self._loop.close()

    async def _connect(self) -> Any:
        options = self._options
        paths = (options.root_certificates, options.client_key, options.client_certificate)
        root, key, chain = (str(path) if path else None for path in paths)
        return triton.InferenceServerClient(
            options.url,
            ssl=options.ssl,
            root_certificates=root,
            private_key=key,
            certificate_chain=chain,
            channel_args=(*_CHANNEL, *proxy_options(options.url, options.proxy)),
        )

    async def _signature(self) -> Signature:
        options, client = self._options, self._client
        name, version = options.model, options.model_version
        try:
            server = await client.get_server_metadata(client_timeout=_ASKING_S)
            metadata = await client.get_model_metadata(name, version, client_timeout=_ASKING_S)
            config = await client.get_model_config(name, version, client_timeout=_ASKING_S)
        except InferenceServerException as error:
            if is_unknown_model(error):
                raise await self._unknown_model() from None
            raise to_contract_error(error, options.where) from None
        return signature_of(server, metadata, config.config, version)

    async def _unknown_model(self) -> ContractError:
        options = self._options
        try:
            index = await self._client.get_model_repository_index(client_timeout=_ASKING_S)
            there = ", ".join(f"{m.name!r} {m.version} {m.state}".replace("  ", " ") for m in index.models) or "none"
        except InferenceServerException as error:
            there = f"not told: {error.message()}"
        asked = f"model {options.model!r}" + (f" version {options.model_version}" if options.model_version else "")
        text = f"the Triton server at {options.url} has no {asked}: set model and model_version to one of its ({there})"
        return ContractError(Reason.BAD_REQUEST, text)

    async def _tried(
        self,
        signature: Signature,
        inputs: Sequence[InputTensor],
        outputs: Sequence[str],
        take: Callable[[Response], None],
    ) -> int:
        responses, retries = 0, 0
        while True:
            try:
                async with contextlib.aclosing(self._responses(signature, inputs, outputs)) as found:
                    async for response in found:
                        responses += 1
                        take(response)
                return retries
            except _Errors as error:
                fault = to_contract_error(error, self._options.where)
            if responses or fault.reason not in RETRYABLE or retries >= self._options.max_retries:
                raise fault
            await asyncio.sleep(min(_MAX_DELAY_S, _FIRST_DELAY_S * 2**retries) * random.uniform(0.5, 1.0))
            retries += 1

    async def _responses(
        self, signature: Signature, inputs: Sequence[InputTensor], outputs: Sequence[str]
    ) -> AsyncGenerator[Response]:
        request = {
            "model_name": signature.model,
            "model_version": signature.version,
            "inputs": [_input(fed) for fed in inputs],
            "outputs": [InferRequestedOutput(name) for name in outputs],
        }
        if not signature.decoupled:
            result = await self._in_time(self._client.infer(**request))
            yield _arrays(result, signature.batched)
            return
        # The server ends a stream after the last response to all of its requests: this one. An error is read to the end
        # as well: Triton (2.51) keeps a request for ever whose stream is cancelled between its error and its end.
        stream = self._client.stream_infer(_once(request))
        try:
            while True:
                try:
                    result, error = await self._in_time(anext(stream))
                except StopAsyncIteration:
                    return
                if error is not None:
                    await _to_its_end(stream)
                    raise error
                yield _arrays(result, signature.batched)
        finally:
            stream.cancel()

    async def _in_time(self, call: Any) -> Any:
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return await call
        except TimeoutError:
            raise timeout_error(self._options.where, self._options.timeout_s) from None


async def _to_its_end(stream: Any) -> None:
    """Reads what a stream still brings, for a while."""
    with contextlib.suppress(TimeoutError, grpc.RpcError):
        async with asyncio.timeout(_REST_S):
            async for _ in stream:
                pass


async def _once(request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield request


def _input(fed: InputTensor) -> InferInput:
    tensor = InferInput(fed.name, list(fed.array.shape), fed.datatype)
    tensor.set_data_from_numpy(fed.array)
    return tensor


def _arrays(result: Any, batched: bool) -> Response:
    found = {}
    for output in result.get_response().outputs:
        array = result.as_numpy(output.name)
        found[output.name] = array[0] if batched and array.ndim and len(array) else array
    return found
