"""Client of one Triton server: its signature, inference with retries, and errors in the contract's reasons."""

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

_log = logging.getLogger(__name__)

_POLL_S = 1.0
_METADATA_TIMEOUT_S = 10.0
_DRAIN_S = 5.0
_FIRST_DELAY_S, _MAX_DELAY_S = 0.5, 8.0

_MAX_MESSAGE_BYTES = 256 * 1024 * 1024

_CHANNEL = (
    # The default of 4 MiB is less than a large image. The limit is twenty minutes of FP32 audio at 48 kHz.
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    # Reconnects soon after an error; gRPC's default backs off to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

# Characters of a server's error that are passed on. In the traceback of a Python model the end has the message.
_HEAD_CHARS, _TAIL_CHARS = 150, 450

# Read in Triton's sources and seen on a running server; the first match counts. The message is tried before the status:
# errors within a stream have no status.
_MESSAGES = (
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
    "UNAUTHENTICATED": Reason.UNAUTHENTICATED,
    "PERMISSION_DENIED": Reason.PERMISSION_DENIED,
    "DEADLINE_EXCEEDED": Reason.DEADLINE_EXCEEDED,
    "RESOURCE_EXHAUSTED": Reason.TOO_LARGE,
}

_ADVICE = {
    "UNAVAILABLE": "start it there, or set url, and ssl if it uses TLS",
    "NOT_FOUND": "load the model, or set model and model_version; then restart this service",
    # For example a unary call to a model that is decoupled now.
    "UNIMPLEMENTED": "was the model replaced? Restart this service",
}

RETRYABLE = frozenset({Reason.UPSTREAM_UNAVAILABLE, Reason.RATE_LIMITED})
"""Reasons after which another attempt may succeed."""

Response = Mapping[str, Array]
"""The tensors of one response, by name, without the batch dimension."""

_ClientErrors = (InferenceServerException, grpc.RpcError)


class TritonClient:
    """A client of one server and one model. `infer` may be called from many threads."""

    def __init__(self, options: TritonOptions) -> None:
        self._options = options
        # The asynchronous client: its calls can be cancelled from another thread.
        self._loop = LoopThread("triton-client")
        self._client: Any = self._loop.run(self._connect())

    def signature(self) -> Signature:
        """The model's signature; waits for the server and the model at most `wait_s` seconds.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE if the server does not respond in time; BAD_REQUEST if it does not have
                the model or version, with the names of those that it has.
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
            time.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))

    def infer(
        self,
        signature: Signature,
        inputs: Sequence[InputTensor],
        outputs: Sequence[str],
        on_response: Callable[[Response], None],
        is_cancelled: Callable[[], bool],
    ) -> int | None:
        """Sends one request and passes every response to `on_response`.

        Args:
            outputs: names of the output tensors to request.

        Returns:
            The number of retries; None once `is_cancelled` returned True, with the call to the server cancelled.

        Raises:
            ContractError: an error of the server or of the connection. Only calls without a response are retried.
        """
        call = self._with_retries(signature, inputs, outputs, on_response)
        try:
            return self._loop.run(call, is_cancelled)
        except CancelledError:
            return None

    def close(self) -> None:
        """Closes the connection and ends the loop."""
        self._loop.run(self._client.close())
        self._loop.close()

    async def _connect(self) -> Any:
        # A coroutine, since a grpc.aio channel belongs to the event loop that it is created on.
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
            server = await client.get_server_metadata(client_timeout=_METADATA_TIMEOUT_S)
            metadata = await client.get_model_metadata(name, version, client_timeout=_METADATA_TIMEOUT_S)
            config = await client.get_model_config(name, version, client_timeout=_METADATA_TIMEOUT_S)
        except InferenceServerException as error:
            if _status_and_message(error)[0] == "NOT_FOUND":
                raise await self._unknown_model() from None
            raise to_contract_error(error, options.where) from None
        return signature_of(server, metadata, config.config, version)

    async def _unknown_model(self) -> ContractError:
        """The error for a server that does not have the model or version; names those that it has."""
        options = self._options
        try:
            index = await self._client.get_model_repository_index(client_timeout=_METADATA_TIMEOUT_S)
            # A model that was never loaded has an empty version, which leaves two spaces.
            known = ", ".join(f"{m.name!r} {m.version} {m.state}".replace("  ", " ") for m in index.models) or "none"
        except InferenceServerException as error:
            known = f"unknown: {error.message()}"
        requested = f"model {options.model!r}" + (f" version {options.model_version}" if options.model_version else "")
        text = f"the Triton server at {options.url} has no {requested}: set model and model_version to one of its"
        return ContractError(Reason.BAD_REQUEST, f"{text} ({known})")

    async def _with_retries(
        self,
        signature: Signature,
        inputs: Sequence[InputTensor],
        outputs: Sequence[str],
        on_response: Callable[[Response], None],
    ) -> int:
        responses, retries = 0, 0
        while True:
            try:
                # aclosing: a cancelled call has to close its stream now, not when the generator is collected.
                async with contextlib.aclosing(self._responses(signature, inputs, outputs)) as found:
                    async for response in found:
                        responses += 1
                        on_response(response)
                return retries
            except _ClientErrors as error:
                failure = to_contract_error(error, self._options.where)
            # After a response a retry would send its text and audio twice.
            if responses or failure.reason not in RETRYABLE or retries >= self._options.max_retries:
                raise failure
            # Exponential backoff with jitter, so that the calls of all workers do not return at the same moment.
            await asyncio.sleep(min(_MAX_DELAY_S, _FIRST_DELAY_S * 2**retries) * random.uniform(0.5, 1.0))
            retries += 1

    async def _responses(
        self, signature: Signature, inputs: Sequence[InputTensor], outputs: Sequence[str]
    ) -> AsyncGenerator[Response]:
        request = {
            "model_name": signature.model,
            "model_version": signature.version,
            "inputs": [_infer_input(tensor) for tensor in inputs],
            "outputs": [InferRequestedOutput(name) for name in outputs],
        }
        # Triton refuses unary calls to decoupled models.
        if not signature.decoupled:
            result = await self._in_time(self._client.infer(**request))
            yield _arrays(result, signature.batched)
            return
        # One stream for each request: the client cannot see which response is a request's last one, but the server
        # ends a stream after the last response to all of its requests.
        stream = self._client.stream_infer(_single(request))
        try:
            while True:
                try:
                    result, error = await self._in_time(anext(stream))
                except StopAsyncIteration:
                    return
                if error is not None:
                    # Triton (2.51) keeps a request forever if its stream is cancelled between its error and its end.
                    await _drain(stream)
                    raise error
                yield _arrays(result, signature.batched)
        finally:
            stream.cancel()

    async def _in_time(self, call: Any) -> Any:
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return await call
        except TimeoutError:
            text = f"the Triton server at {self._options.where} was silent for longer than timeout_s = "
            text += f"{self._options.timeout_s:g}: raise it, or lower concurrency"
            raise ContractError(Reason.DEADLINE_EXCEEDED, text) from None


async def _drain(stream: Any) -> None:
    """Reads a stream to its end, for at most `_DRAIN_S` seconds."""
    with contextlib.suppress(TimeoutError, grpc.RpcError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in stream:
                pass


async def _single(request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield request


def _infer_input(tensor: InputTensor) -> InferInput:
    found = InferInput(tensor.name, list(tensor.array.shape), tensor.datatype)
    found.set_data_from_numpy(tensor.array)
    return found


def _arrays(result: Any, batched: bool) -> Response:
    found = {}
    for output in result.get_response().outputs:
        array = result.as_numpy(output.name)
        # The batch has one row, unless the array has no elements.
        found[output.name] = array[0] if batched and array.ndim and len(array) else array
    return found


def to_contract_error(error: InferenceServerException | grpc.RpcError, where: str) -> ContractError:
    """The contract's error for what the client raised, or found in a stream."""
    status, message = _status_and_message(error)
    reason = _reason_of(message) or _STATUSES.get(status, Reason.MODEL_ERROR)
    advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
    text = f"the Triton server at {where} answered {status or 'in its stream'} ({_shortened(message)}){advice}"
    return ContractError(reason, text)


def _status_and_message(error: InferenceServerException | grpc.RpcError) -> tuple[str, str]:
    """Name of the gRPC status, empty for an error within a stream, and the server's message on one line."""
    if isinstance(error, InferenceServerException):
        status, message = str(error.status() or ""), str(error.message() or "")
    # A lost stream raises gRPC's own error, which the client does not wrap.
    elif isinstance(error, grpc.aio.AioRpcError):
        status, message = str(error.code()), error.details() or ""
    else:
        status, message = "", str(error)
    return status.removeprefix("StatusCode."), " ".join(message.split())


def _shortened(message: str) -> str:
    if len(message) <= _HEAD_CHARS + _TAIL_CHARS:
        return message
    return f"{message[:_HEAD_CHARS]} ... {message[-_TAIL_CHARS:]}"


def _reason_of(message: str) -> Reason | None:
    lower = message.lower()
    return next((reason for reason, texts in _MESSAGES if any(text in lower for text in texts)), None)
