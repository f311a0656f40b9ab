"""Chat completions: builds the body of one question, posts it, and reads the answer whole or as a stream."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from typing import Any

from openai import AsyncStream, omit

from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16, encode_png, encode_wav
from omnigap.vocabulary import FinishReason, Modality, Reason
from omnigap_services.adapter import DecodingOptions, InputPart, Request
from omnigap_services.openai_server.answer import ChatAnswer, finish_reason_of, read_answer, token_counts
from omnigap_services.openai_server.body_errors import check_choice, tool_calls_error
from omnigap_services.openai_server.body_limit import check_size
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.options import RESERVED, OpenaiOptions

Body = dict[str, Any]
"""The JSON object that is posted to `/chat/completions`."""


class ChatClient(Connection):
    """A connection for chat completions. `complete` may be called from many threads."""

    def __init__(self, options: OpenaiOptions, key: str) -> None:
        super().__init__(options, key)
        self._audio_format = options.audio_format

    def complete(
        self, body: Body, speech: bool, write: Callable[[str], None], is_cancelled: Callable[[], bool]
    ) -> ChatAnswer | None:
        """Posts a body and reads the answer; None, with the HTTP request closed, once `is_cancelled` returns True.

        Args:
            speech: audio was requested.
            write: called with the pieces of a streamed text; the answer's own `text` is then empty.

        Raises:
            ContractError: any error of the server or of the connection, without the key.
        """
        call = self._streamed(body, write) if body.get("stream") else self._whole(body, speech)
        try:
            return self.run(call, is_cancelled)
        except CancelledError:
            return None

    async def _whole(self, body: Body, speech: bool) -> ChatAnswer:
        fields = dict(body)
        # All other fields go into extra_body: the client's parameters are those of OpenAI only. The raw response has
        # the number of retries, and its text may differ from the client's own model of a completion.
        response = await self.client.chat.completions.with_raw_response.create(
            model=fields.pop("model", omit), messages=fields.pop("messages"), extra_body=fields
        )
        check_size(response.http_response)
        answer = read_answer(response.text, self._audio_format, speech)
        diagnostics = {**answer.diagnostics, "retries": float(response.retries_taken)}
        return dataclasses.replace(answer, diagnostics=diagnostics)

    async def _streamed(self, body: Body, write: Callable[[str], None]) -> ChatAnswer:
        fields = dict(body)
        fields.pop("stream")
        stream: AsyncStream[Any] = await self.client.chat.completions.create(
            model=fields.pop("model", omit), messages=fields.pop("messages"), stream=True, extra_body=fields
        )
        finish: FinishReason | None = None
        tokens = (0, 0, 0)
        reasoning, refused, said, called = "", False, False, False
        try:
            async for chunk in stream:
                # Usage comes in a last chunk without choices.
                if chunk.usage is not None:
                    tokens = token_counts(chunk.usage.model_dump())
                for choice in chunk.choices or []:
                    delta = choice.delta
                    # Errors of the whole stream are raised by the client; those of a choice are extra fields.
                    check_choice(getattr(choice, "error", None), choice.finish_reason)
                    write(delta.content or "")
                    said = said or bool(delta.content)
                    called = called or bool(delta.tool_calls or delta.function_call)
                    # Servers use one of two names for thinking; a refusal comes instead of content.
                    reasoning += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
                    write(delta.refusal or "")
                    refused = refused or bool(delta.refusal)
                    finish = finish_reason_of(choice.finish_reason) if choice.finish_reason else finish
        except (ValueError, RecursionError) as error:  # an event that was cut off
            check_size(stream.response)
            raise self.errors.unavailable(f"its stream is broken: {error}") from None
        finally:
            await stream.close()
        # A lost connection can look like the end of the stream; only the finish reason distinguishes them.
        check_size(stream.response)
        if finish is None:
            raise self.errors.unavailable("its stream ended before the answer did")
        if called and not said and not refused:
            raise tool_calls_error("tool_calls")
        return ChatAnswer(reasoning=reasoning, finish_reason=FinishReason.REFUSED if refused else finish, tokens=tokens)


def build_body(request: Request, options: OpenaiOptions) -> Body:
    """The body of a request.

    Raises:
        ContractError: BAD_REQUEST for decoding that such servers do not support.
    """
    speech = request.output is Modality.SPEECH
    modalities = options.speech_modalities if speech else options.text_modalities
    sampling = _sampling(request.decoding, options)
    body: Body = {
        "model": options.model,
        "messages": _messages(request, options),
        # Always sent: without it vLLM-Omni generates all modalities.
        "modalities": list(modalities),
        **sampling,
        **options.extra_body,
        **_extra(request.decoding.extra),
    }
    if "audio" in modalities:
        body.update(_voice(request, options))
    if options.sampling_params_list:
        body["sampling_params_list"] = _stages(sampling, options)
    if is_streamed(request, options):
        body.update(stream=True, stream_options={"include_usage": True})
    return {key: value for key, value in body.items() if key not in options.omit}


def is_streamed(request: Request, options: OpenaiOptions) -> bool:
    """True if the answer is streamed: text without audio, and the options ask for it."""
    return options.stream and request.output is Modality.TEXT and "audio" not in options.text_modalities


def _messages(request: Request, options: OpenaiOptions) -> list[Body]:
    system = request.system_prompt or options.system_prompt
    messages: list[Body] = [{"role": "system", "content": system}] if system else []
    # A single text is sent as a string: templates of text-only models often do not accept lists.
    texts = request.texts if options.join_text or len(request.parts) == 1 else ()
    content: str | list[Body]
    if len(texts) == len(request.parts):
        content = "\n\n".join(texts)
    else:
        content = [_part(part, options) for part in request.parts]
    return [*messages, {"role": "user", "content": content}]


def _part(part: InputPart, options: OpenaiOptions) -> Body:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, AudioClip):
        wav = _base64(encode_wav(encode_pcm16(part.samples), part.sample_rate))
        if options.audio_part == "input_audio":
            return {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}}
        return {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{wav}"}}
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64(encode_png(part))}"}}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _voice(request: Request, options: OpenaiOptions) -> Body:
    voice = request.voice or options.voice
    if voice and options.voice_field == "speaker":
        return {"audio": {"format": options.audio_format}, "speaker": voice}
    return {"audio": {"format": options.audio_format, **({"voice": voice} if voice else {})}}


def _sampling(requested: DecodingOptions, options: OpenaiOptions) -> Body:
    """Fields that the request sets, else those that the options set; the others keep the server's defaults."""
    if requested.beam_size is not None and requested.beam_size > 1:
        raise _bad_request(f"decoding.beam_size is {requested.beam_size}, but chat servers have no beam search")
    fields: dict[str, float | int | None] = {
        "temperature": _first(requested.temperature, options.temperature),
        "top_p": _first(requested.top_p, options.top_p),
        "top_k": _first(requested.top_k, options.top_k),
        options.repetition_penalty_field: _first(requested.repetition_penalty, options.repetition_penalty),
        "seed": _first(requested.seed, options.seed),
        options.max_tokens_field: _first(requested.max_new_tokens, options.max_tokens),
    }
    names = {"repetition_penalty": options.repetition_penalty_field}
    for name in options.unsupported:
        value = fields.pop(names.get(name, name), None)
        # Of a greedy answer a seed changes nothing either.
        neutral = _NEUTRAL[name] if name != "seed" or fields["temperature"] != 0 else value
        if value is not None and value != neutral:
            raise _bad_request(f"decoding.{name} is {value:g}, which this server ignores: leave it out")
    return {name: value for name, value in fields.items() if value is not None}


# Values that change nothing.
_NEUTRAL = {"top_p": 1, "top_k": 0, "repetition_penalty": 1, "seed": None}


def _first(requested: float | None, configured: float | None) -> float | None:
    # Not `or`: 0 is a value.
    return configured if requested is None else requested


def _stages(sampling: Body, options: OpenaiOptions) -> list[Body]:
    """The tables of the stages; the first one, the thinker's, also gets the request's sampling fields.

    vLLM-Omni ignores sampling fields in the root if `sampling_params_list` is sent.
    """
    thinker = {("max_tokens" if name == options.max_tokens_field else name): value for name, value in sampling.items()}
    first, *rest = options.sampling_params_list
    return [{**first, **thinker}, *rest]


def _extra(extra: Mapping[str, str]) -> Body:
    """Root fields from `decoding.extra`; a value that is valid JSON is sent as JSON, any other as a string."""
    if taken := RESERVED.intersection(extra):
        raise _bad_request(f"decoding.extra sets {', '.join(sorted(taken))}, which the adapter writes: leave it out")
    fields: Body = {}
    for name, value in extra.items():
        try:
            fields[name] = json.loads(value)
        # ValueError also for numbers of thousands of digits.
        except (ValueError, RecursionError):
            fields[name] = value
    return fields


def _bad_request(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)
