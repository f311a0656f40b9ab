"""The way to the server: the official client on an event loop of its own, so that a call can be taken back."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, wait
from typing import Any, TypeVar

from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, AsyncStream, Timeout

from omnigap.errors import ContractError
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.openai_server.answer import Heard, finish_of, model_names, read_answer, tokens_of
from omnigap_services.openai_server.body import Body
from omnigap_services.openai_server.faults import Faults
from omnigap_services.openai_server.options import OpenaiOptions

_log = logging.getLogger(__name__)

# What a gateway says while the server behind it still loads.
_NOT_YET = (502, 503, 504)

_POLL_S = 0.02
_PAUSE_S = 1.0

# They log addresses, headers and retries of every request; what matters comes back as an error or a diagnostic.
_CHATTY = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")

# What the client is given where no key is configured: it insists on one, and such servers do not look at it.
_NO_KEY = "none"

ResultT = TypeVar("ResultT")


class Upstream:
    """A client of one server. `ask` may be called from many threads."""

    def __init__(self, options: OpenaiOptions, key: str) -> None:
        self._options = options
        self._faults = Faults(options.base_url, key)
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)
        self._thread.start()
        self._client = AsyncOpenAI(
            api_key=key or _NO_KEY,
            base_url=options.base_url,
            max_retries=options.max_retries,
            timeout=Timeout(options.timeout_s, connect=options.connect_timeout_s),
        )

    def wait_until_there(self) -> None:
        """Waits until the server lists its models, at most `wait_s` seconds; says so where ours is not among them.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE where nothing answers in time, or the server's own refusal.
        """
        end = time.monotonic() + self._options.wait_s
        while True:
            try:
                names = self._run(self._models(), lambda: False)
                break
            except ContractError as error:
                left = end - time.monotonic()
                if error.reason is not Reason.UPSTREAM_UNAVAILABLE or left <= 0:
                    raise
                _log.info("waiting %.0f s more (wait_s): %s", left, error.message)
            time.sleep(min(_PAUSE_S, max(0.0, end - time.monotonic())))
        if names and self._options.model not in names:
            _log.warning("the server lists %s, but not the model %r", ", ".join(names[:8]), self._options.model)

    def ask(self, body: Body, spoken: bool, write: Callable[[str], None], gone: Callable[[], bool]) -> Heard | None:
        """Posts a body and reads the answer; None, and the HTTP request closed, once `gone` is true.

        Args:
            write: takes the pieces of a streamed text; the answer's `text` then is empty.

        Raises:
            ContractError: whatever the server or the way to it had to say, without the key.
        """
        call = self._streamed(body, write) if body.get("stream") else self._whole(body, spoken)
        try:
            return self._run(call, gone)
        except CancelledError:
            return None

    def close(self) -> None:
        """Closes the connections and ends the loop."""
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def _run(self, call: Coroutine[Any, Any, ResultT], gone: Callable[[], bool]) -> ResultT:
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        while not wait([future], timeout=_POLL_S).done:
            if gone():
                future.cancel()
        try:
            return future.result()
        except APIError as error:
            # The client's errors hold the request and its headers: they go no further than here.
            raise self._faults.as_ours(error) from None
        except ContractError as error:
            raise self._faults.scrubbed(error) from None

    async def _models(self) -> list[str]:
        """The names that the server lists; none where it keeps no list, or a broken one: it is there all the same."""
        try:
            response = await self._client.with_options(max_retries=0).models.with_raw_response.list()
        except APIStatusError as error:
            if error.status_code in _NOT_YET:
                raise APIConnectionError(request=error.request) from error
            if error.status_code in (401, 403):
                raise
            return []
        return model_names(response.text)

    async def _whole(self, body: Body, spoken: bool) -> Heard:
        fields = dict(body)
        response = await self._client.chat.completions.with_raw_response.create(
            model=fields.pop("model"), messages=fields.pop("messages"), extra_body=fields
        )
        heard = read_answer(response.text, self._options.audio_format, spoken)
        return _with_tries(heard, response.retries_taken)

    async def _streamed(self, body: Body, write: Callable[[str], None]) -> Heard:
        fields = dict(body)
        fields.pop("stream")
        stream: AsyncStream[Any] = await self._client.chat.completions.create(
            model=fields.pop("model"), messages=fields.pop("messages"), stream=True, extra_body=fields
        )
        finish: FinishReason | None = None
        tokens = (0, 0, 0)
        reasoning = ""
        try:
            async for chunk in stream:
                if chunk.usage is not None:
                    tokens = tokens_of(chunk.usage.model_dump())
                for choice in chunk.choices or []:
                    write(choice.delta.content or "")
                    reasoning += getattr(choice.delta, "reasoning_content", None) or ""
                    finish = finish_of(choice.finish_reason) if choice.finish_reason else finish
        except ValueError as error:  # half an event
            raise self._faults.away(f"its stream is broken: {error}") from None
        finally:
            await stream.close()
        if finish is None:
            raise self._faults.away("its stream ended before the answer did")
        return Heard(reasoning=reasoning, finish_reason=finish, tokens=tokens)


def _with_tries(heard: Heard, retries: int) -> Heard:
    """The answer with the number of further tries that it took."""
    diagnostics = {**heard.diagnostics, "retries": float(retries)}
    return Heard(heard.text, heard.reasoning, heard.audio, heard.finish_reason, heard.tokens, diagnostics)
