"""What a fault of the server or of the way to it means in the contract's reasons, with nothing secret in its text."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    Timeout,
)

from omnigap.channel import is_loopback_host
from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import OUT_OF_MEMORY
from omnigap_services.loop_thread import LoopThread
from omnigap_services.openai_server.answer import model_names
from omnigap_services.openai_server.endpoint import EndpointOptions

_SHOWN = 600
"""Characters of a server's error that are passed on."""

# Read in the servers' sources and seen in their issues; the first that fits is taken.
_TEXTS = (
    (Reason.OUT_OF_MEMORY, OUT_OF_MEMORY),
    (Reason.MODEL_ERROR, ("no audio was produced", "did not produce audio", "produced no audio")),
    (Reason.TOO_LARGE, ("context_length_exceeded", "maximum context length", "maximum model length")),
)

_STATUSES = {
    408: Reason.DEADLINE_EXCEEDED,
    409: Reason.UPSTREAM_UNAVAILABLE,
    413: Reason.TOO_LARGE,
    429: Reason.RATE_LIMITED,
    502: Reason.UPSTREAM_UNAVAILABLE,
    503: Reason.UPSTREAM_UNAVAILABLE,
    504: Reason.UPSTREAM_UNAVAILABLE,
    529: Reason.UPSTREAM_UNAVAILABLE,
}

_ADVICE = {
    401: "set api_key_env to the variable that holds the key",
    403: "the key may not do this: check the key behind api_key_env and the model",
    404: "check base_url and model",
    429: "lower concurrency, or wait",
}


class ErrorMapper:
    """Maps errors of the client of one server."""

    def __init__(self, base_url: str, key: str, proxy: str = "") -> None:
        """Takes the key, which no message repeats, and the proxy that the server is called through."""
        self._where = base_url
        self._proxy = f" through the proxy {proxy}" if proxy else ""
        self._key = key

    def as_ours(self, error: APIError) -> ContractError:
        """The contract's error for what the client raised after its last try."""
        if isinstance(error, APIStatusError):
            return self._of_status(error)
        if isinstance(error, APITimeoutError):
            if type(error.__cause__).__name__ in ("ConnectTimeout", "PoolTimeout"):
                return self.away("no connection in time")
            text = f"the server at {self._where} was silent for longer than timeout_s: raise it, or lower concurrency"
            return ContractError(Reason.DEADLINE_EXCEEDED, text)
        if isinstance(error, APIConnectionError):
            cause = error.__cause__
            return self.away(f"{type(cause).__name__}: {cause}" if cause else "connection lost")
        # An error event in the midst of a stream.
        said = self.clean(f"{error.message} {_shown(error.body)}")
        return ContractError(_by_text(said) or Reason.MODEL_ERROR, f"the server at {self._where} said {said}")

    def away(self, why: str) -> ContractError:
        """Nobody there, or gone in the midst of an answer."""
        text = f"the server at {self._where}{self._proxy} is away ({self.clean(why)}): start it there, or set base_url"
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)

    def clean(self, text: str) -> str:
        """The text, cut, and without the key should the server have echoed it."""
        hidden = text.replace(self._key, "[key]") if self._key else text
        return hidden if len(hidden) <= _SHOWN else hidden[:_SHOWN] + " ..."

    def scrubbed(self, error: ContractError) -> ContractError:
        """The same error without the key."""
        return ContractError(error.reason, self.clean(error.message))

    def _of_status(self, error: APIStatusError) -> ContractError:
        status = error.status_code
        said = self.clean(_shown(error.body) or error.response.reason_phrase)
        reason = _STATUSES.get(status) or _by_text(said)
        if reason is None:
            reason = Reason.BAD_REQUEST if status < 500 else Reason.MODEL_ERROR
        advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
        return ContractError(reason, f"the server at {self._where} answered {status} ({said}){advice}")


def _by_text(said: str) -> Reason | None:
    small = said.lower()
    return next((reason for reason, marks in _TEXTS if any(mark in small for mark in marks)), None)


def _shown(body: object) -> str:
    """An error body as one line: its message where it has one."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, dict) else inner
        return str(found) if found else json.dumps(body, ensure_ascii=False, default=str)
    return "" if body is None else " ".join(str(body).split())


# A connection to one server: the official client on an event loop of its own, so that a call can be taken back.

_log = logging.getLogger(__name__)

# What a gateway says while the server behind it still loads.
_NOT_YET = (502, 503, 504)

_PAUSE_S = 1.0

# They log addresses, headers and retries of every request; what matters comes back as an error or a diagnostic.
_CHATTY = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")

# What the client is given where no key is configured: it insists on one, and such servers do not look at it.
_NO_KEY = "none"

ResultT = TypeVar("ResultT")


class Connection:
    """A client of one server. `run` may be called from many threads.

    Attributes:
        client: the official one; its calls are awaited on the connection's own loop, by `run`.
        faults: maps its errors.
    """

    def __init__(self, options: EndpointOptions, key: str) -> None:
        self._endpoint = options
        self.faults = ErrorMapper(options.base_url, key, _proxy_of(options))
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._loop = LoopThread("upstream")
        self.client = AsyncOpenAI(
            api_key=key or _NO_KEY,
            base_url=options.base_url,
            max_retries=options.max_retries,
            timeout=Timeout(options.timeout_s, connect=options.connect_timeout_s),
            http_client=_http_client(options),
        )

    def wait_until_there(self) -> None:
        """Waits until the server lists its models, at most `wait_s` seconds; says so where ours is not among them.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE where nothing answers in time, or the server's own refusal.
        """
        end = time.monotonic() + self._endpoint.wait_s
        while True:
            try:
                names = self.run(self._models(), lambda: False)
                break
            except ContractError as error:
                left = end - time.monotonic()
                if error.reason is not Reason.UPSTREAM_UNAVAILABLE or left <= 0:
                    raise
                _log.info("waiting %.0f s more (wait_s): %s", left, error.message)
            time.sleep(min(_PAUSE_S, max(0.0, end - time.monotonic())))
        if names and self._endpoint.model not in names:
            _log.warning("the server lists %s, but not the model %r", ", ".join(names[:8]), self._endpoint.model)

    def close(self) -> None:
        """Closes the connections and ends the loop."""
        self._loop.run(self.client.close())
        self._loop.close()

    def run(self, call: Coroutine[Any, Any, ResultT], gone: Callable[[], bool]) -> ResultT:
        """Runs a call of the client to its end.

        Raises:
            ContractError: whatever the server or the way to it had to say, without the key.
            CancelledError: once `gone` is true; the HTTP request is closed.
        """
        try:
            return self._loop.run(call, gone)
        except APIError as error:
            # The client's errors hold the request and its headers: they go no further than here.
            raise self.faults.as_ours(error) from None
        except ContractError as error:
            raise self.faults.scrubbed(error) from None

    async def _models(self) -> list[str]:
        """The names that the server lists; none where it keeps no list, or a broken one: it is there all the same."""
        try:
            response = await self.client.with_options(max_retries=0).models.with_raw_response.list()
        except APIStatusError as error:
            if error.status_code in _NOT_YET:
                raise APIConnectionError(request=error.request) from error
            if error.status_code in (401, 403):
                raise
            return []
        return model_names(response.text)


def _is_loopback(options: EndpointOptions) -> bool:
    return is_loopback_host(urlsplit(options.base_url).hostname or "")


def _proxy_of(options: EndpointOptions) -> str:
    """The configured proxy that the server is called through; empty where none is."""
    return "" if _is_loopback(options) else options.proxy


def _http_client(options: EndpointOptions) -> DefaultAsyncHttpxClient | None:
    """What sends the requests; None leaves it to the official client, which follows the environment's proxies."""
    if _is_loopback(options):
        # Mounted over the environment's proxies; certificates of the environment stay in force.
        return DefaultAsyncHttpxClient(mounts={f"{scheme}://": None for scheme in ("all", "http", "https")})
    return DefaultAsyncHttpxClient(proxy=options.proxy) if options.proxy else None
