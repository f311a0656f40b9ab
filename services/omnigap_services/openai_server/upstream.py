"""Chat completions: one question is posted, and its answer read whole or piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from openai import AsyncStream, omit

from omnigap.vocabulary import FinishReason
from omnigap_services.openai_server.answer import Heard, finish_of, read_answer, tokens_of
from omnigap_services.openai_server.body import Body
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.options import OpenaiOptions


class Upstream(Connection):
    """A connection that asks questions. `ask` may be called from many threads."""

    def __init__(self, options: OpenaiOptions, key: str) -> None:
        super().__init__(options, key)
        self._options = options

    def ask(self, body: Body, spoken: bool, write: Callable[[str], None], gone: Callable[[], bool]) -> Heard | None:
        """Posts a body and reads the answer; None, and the HTTP request closed, once `gone` is true.

        Args:
            write: takes the pieces of a streamed text; the answer's `text` then is empty.

        Raises:
            ContractError: whatever the server or the way to it had to say, without the key.
        """
        call = self._streamed(body, write) if body.get("stream") else self._whole(body, spoken)
        try:
            return self.run(call, gone)
        except CancelledError:
            return None

    async def _whole(self, body: Body, spoken: bool) -> Heard:
        fields = dict(body)
        response = await self.client.chat.completions.with_raw_response.create(
            model=fields.pop("model", omit), messages=fields.pop("messages"), extra_body=fields
        )
        heard = read_answer(response.text, self._options.audio_format, spoken)
        return _with_tries(heard, response.retries_taken)

    async def _streamed(self, body: Body, write: Callable[[str], None]) -> Heard:
        fields = dict(body)
        fields.pop("stream")
        stream: AsyncStream[Any] = await self.client.chat.completions.create(
            model=fields.pop("model", omit), messages=fields.pop("messages"), stream=True, extra_body=fields
        )
        finish: FinishReason | None = None
        tokens = (0, 0, 0)
        reasoning, refused = "", False
        try:
            async for chunk in stream:
                if chunk.usage is not None:
                    tokens = tokens_of(chunk.usage.model_dump())
                for choice in chunk.choices or []:
                    delta = choice.delta
                    write(delta.content or "")
                    # Servers have two names for thinking; refusals come in place of the text.
                    reasoning += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
                    write(delta.refusal or "")
                    refused = refused or bool(delta.refusal)
                    finish = finish_of(choice.finish_reason) if choice.finish_reason else finish
        except ValueError as error:  # half an event
            raise self.faults.away(f"its stream is broken: {error}") from None
        finally:
            await stream.close()
        if finish is None:
            raise self.faults.away("its stream ended before the answer did")
        return Heard(reasoning=reasoning, finish_reason=FinishReason.REFUSED if refused else finish, tokens=tokens)


def _with_tries(heard: Heard, retries: int) -> Heard:
    """The answer with the number of further tries that it took."""
    diagnostics = {**heard.diagnostics, "retries": float(retries)}
    return Heard(heard.text, heard.reasoning, heard.audio, heard.finish_reason, heard.tokens, diagnostics)
