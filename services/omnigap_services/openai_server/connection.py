"""A connection to one server: the official client on an event loop of its own, so that a call can be taken back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

from omnigap.channel import is_loopback_host
from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.loop_thread import LoopThread
from omnigap_services.openai_server.answer import model_names
from omnigap_services.openai_server.endpoint import EndpointOptions
from omnigap_services.openai_server.faults import Faults

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
        self.faults = Faults(options.base_url, key, _proxy_of(options))
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
