"""Connection to one server: the official client on its own event loop, its errors mapped, and secrets removed."""

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
from omnigap_services.loop_thread import LoopThread
from omnigap_services.openai_server.account_errors import PERMANENT
from omnigap_services.openai_server.body_errors import message_of, reason_of, reason_of_status
from omnigap_services.openai_server.body_limit import check_size, limit_body
from omnigap_services.openai_server.endpoint import EndpointOptions

_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

# Responses of a gateway while the server behind it is still loading.
_GATEWAY_ERRORS = (502, 503, 504)

_POLL_S = 1.0

# They log addresses, headers and retries of every request. What matters comes back as an error or a diagnostic.
_VERBOSE_LOGGERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")

# The client requires a key; servers that need none do not look at it.
_NO_KEY = "none"

_MAX_ERROR_CHARS = 600

_ADVICE = {404: "check base_url and model"}
_ADVICE_OF_REASON = {
    Reason.UNAUTHENTICATED: "set api_key_env to the variable that holds the key",
    Reason.PERMISSION_DENIED: "check the key behind api_key_env, its account, and the model",
    Reason.QUOTA_EXHAUSTED: "the account has no credit or quota left, and waiting does not help: add some, then run the"
    " same command again",
    Reason.RATE_LIMITED: "lower concurrency, or wait",
}


class Connection:
    """A client of one server. `run` may be called from many threads.

    Attributes:
        client: the official client; its calls are awaited on the connection's own loop, by `run`.
        errors: maps its errors.
    """

    def __init__(self, options: EndpointOptions, key: str) -> None:
        self._options = options
        self.errors = ErrorMapper(options.base_url, key, _proxy_of(options))
        for name in _VERBOSE_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        # The asynchronous client: unlike the synchronous one, its calls can be cancelled from another thread.
        self._loop = LoopThread("upstream")
        self.client = AsyncOpenAI(
            api_key=key or _NO_KEY,
            base_url=options.base_url,
            max_retries=options.max_retries,
            timeout=Timeout(options.timeout_s, connect=options.connect_timeout_s),
            http_client=_http_client(options, self.errors),
        )

    def wait_until_ready(self) -> None:
        """Waits until the server lists its models, at most `wait_s` seconds; warns if the model is not among them.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE if nothing responds in time, or the server's own refusal.
        """
        end = time.monotonic() + self._options.wait_s
        while True:
            try:
                names = self.run(self._models(), lambda: False)
                break
            except ContractError as error:
                left = end - time.monotonic()
                if error.reason is not Reason.UPSTREAM_UNAVAILABLE or left <= 0:
                    raise
                _log.info("waiting %.0f s more (wait_s): %s", left, error.message)
            time.sleep(min(_POLL_S, max(0.0, end - time.monotonic())))
        # Only a warning: a server may accept other names than it lists.
        if names and self._options.model not in names:
            _log.warning("the server lists %s, but not the model %r", ", ".join(names[:8]), self._options.model)

    def close(self) -> None:
        """Closes the connections and ends the loop."""
        self._loop.run(self.client.close())
        self._loop.close()

    def run(self, call: Coroutine[Any, Any, ResultT], is_cancelled: Callable[[], bool]) -> ResultT:
        """Runs a call of the client to its end.

        Raises:
            ContractError: any error of the server or of the connection, without the key.
            CancelledError: `is_cancelled` returned True; the HTTP request is closed.
        """
        try:
            return self._loop.run(call, is_cancelled)
        except APIError as error:
            # `from None`: the client's errors hold the request with its headers, and a traceback would show them.
            raise self.errors.to_contract_error(error) from None
        except ContractError as error:
            raise self.errors.redacted(error) from None

    async def _models(self) -> list[str]:
        """The names that the server lists; empty if its list cannot be read, although it is running."""
        try:
            # Without retries: the caller polls, and logs the time that is left.
            response = await self.client.with_options(max_retries=0).models.with_raw_response.list()
        except APIStatusError as error:
            if error.status_code in _GATEWAY_ERRORS:
                raise APIConnectionError(request=error.request) from error
            if error.status_code in (401, 403):
                raise
            return []
        try:
            check_size(response.http_response)
        except ContractError:
            return []
        return _model_names(response.text)


def _model_names(payload: str) -> list[str]:
    """The names in a response of `/models`; empty if it is not such a list."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return []
    rows = found.get("data") if isinstance(found, dict) else None
    return [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row] if isinstance(rows, list) else []


def _is_loopback(options: EndpointOptions) -> bool:
    return is_loopback_host(urlsplit(options.base_url).hostname or "")


def _proxy_of(options: EndpointOptions) -> str:
    """The configured proxy, for messages; empty if none is used."""
    return "" if _is_loopback(options) else options.proxy


def _http_client(options: EndpointOptions, errors: ErrorMapper) -> DefaultAsyncHttpxClient:
    """The HTTP client, which limits bodies. Without `proxy` it uses those of the environment, but not for loopback."""

    async def end_permanent_errors(response: Any) -> None:
        # The official client repeats every 429, also that of an empty account, unless this header says no.
        if response.status_code >= 400:
            await response.aread()
            if errors.is_permanent(response):
                response.headers["x-should-retry"] = "false"

    hooks = {"response": [limit_body, end_permanent_errors]}
    if _is_loopback(options):
        # Mounts override the environment's proxies and keep its certificates.
        mounts = {f"{scheme}://": None for scheme in ("all", "http", "https")}
        return DefaultAsyncHttpxClient(mounts=mounts, event_hooks=hooks)
    return DefaultAsyncHttpxClient(proxy=options.proxy or None, event_hooks=hooks)


class ErrorMapper:
    """Maps errors of one server's client to the contract's reasons, without secrets in their texts."""

    def __init__(self, base_url: str, key: str, proxy: str = "") -> None:
        self._base_url = base_url
        self._proxy = f" through the proxy {proxy}" if proxy else ""
        self._key = key

    def to_contract_error(self, error: APIError) -> ContractError:
        """The contract's error for what the client raised after its last attempt."""
        if isinstance(error, APIStatusError):
            return self._of_status(error)
        if isinstance(error, APITimeoutError):
            # The client raises the same class for both; only the cause shows that no connection was made.
            if type(error.__cause__).__name__ in ("ConnectTimeout", "PoolTimeout"):
                return self.unavailable("no connection in time")
            text = (
                f"the server at {self._base_url} was silent for longer than timeout_s: raise it, or lower concurrency"
            )
            return ContractError(Reason.DEADLINE_EXCEEDED, text)
        if isinstance(error, APIConnectionError):
            cause = error.__cause__
            return self.unavailable(f"{type(cause).__name__}: {cause}" if cause else "connection lost")
        # An error event within a stream: it has no status.
        detail = self.redact(f"{error.message} {message_of(error.body)}")
        return ContractError(reason_of(error.body), f"the server at {self._base_url} reports {detail}")

    def unavailable(self, why: str) -> ContractError:
        """The server does not respond, or is lost during an answer."""
        text = f"the server at {self._base_url}{self._proxy} is unavailable ({self.redact(why)})"
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, f"{text}: start it there, or set base_url")

    def redact(self, text: str) -> str:
        """The text without the key, which a server may echo, and shortened."""
        # Before shortening: half a key would no longer be found.
        redacted = text.replace(self._key, "[key]") if self._key else text
        return redacted if len(redacted) <= _MAX_ERROR_CHARS else redacted[:_MAX_ERROR_CHARS] + " ..."

    def redacted(self, error: ContractError) -> ContractError:
        """The same error without the key."""
        return ContractError(error.reason, self.redact(error.message))

    def is_permanent(self, response: Any) -> bool:
        """Whether no further attempt changes an error response, whose body is read."""
        try:
            body = response.json()
        except ValueError:
            body = response.text
        hint = "retry-after" in response.headers
        return reason_of_status(response.status_code, message_of(body), body, retry_after=hint) in PERMANENT

    def _of_status(self, error: APIStatusError) -> ContractError:
        status = error.status_code
        detail = self.redact(message_of(error.body) or error.response.reason_phrase)
        hint = "retry-after" in error.response.headers
        reason = reason_of_status(status, detail, error.body, retry_after=hint)
        advice = _ADVICE_OF_REASON.get(reason) or _ADVICE.get(status, "")
        advice = f": {advice}" if advice else ""
        return ContractError(reason, f"the server at {self._base_url} answered {status} ({detail}){advice}")
