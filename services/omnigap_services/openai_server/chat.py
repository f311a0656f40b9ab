"""From a request to the body of a chat completion: parts, modalities, voice and sampling, as the server wants them."""

from __future__ import annotations

import base64
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
from omnigap_services.openai_server.connection import Connection
from omnigap_services.openai_server.options import RESERVED, OpenaiOptions

Body = dict[str, Any]
"""The JSON object that is posted to `/chat/completions`."""


def build_body(request: Request, options: OpenaiOptions) -> Body:
    """The body, with every field that is set and none that the server must not be sent.

    Raises:
        ContractError: BAD_REQUEST for decoding that such servers do not offer.
    """
    speaks = request.output is Modality.SPEECH
    modalities = options.speech_modalities if speaks else options.text_modalities
    sampling = _sampling(request.decoding, options)
    body: Body = {
        "model": options.model,
        "messages": _messages(request, options),
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
    """True where the answer is asked for piece by piece: text alone, and only where the options say so."""
    return options.stream and request.output is Modality.TEXT and "audio" not in options.text_modalities


def _messages(request: Request, options: OpenaiOptions) -> list[Body]:
    system = request.system_prompt or options.system_prompt
    messages: list[Body] = [{"role": "system", "content": system}] if system else []
    # A lone text goes as a string: templates of text-only models often know no lists.
    alone = request.parts[0] if len(request.parts) == 1 else None
    content = alone if isinstance(alone, str) else [_part(part, options) for part in request.parts]
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


def _sampling(asked: DecodingOptions, options: OpenaiOptions) -> Body:
    """What the request sets, else what the options set; the rest stays at the server's default."""
    if asked.beam_size is not None and asked.beam_size > 1:
        raise _bad(f"decoding.beam_size is {asked.beam_size}: chat servers search no beams, leave it unset")
    fields: dict[str, float | int | None] = {
        "temperature": _first(asked.temperature, options.temperature),
        "top_p": _first(asked.top_p, options.top_p),
        "top_k": _first(asked.top_k, options.top_k),
        "repetition_penalty": _first(asked.repetition_penalty, options.repetition_penalty),
        "seed": _first(asked.seed, options.seed),
        options.max_tokens_field: _first(asked.max_new_tokens, options.max_tokens),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _first(asked: float | None, configured: float | None) -> float | None:
    return configured if asked is None else asked


def _stages(sampling: Body, options: OpenaiOptions) -> list[Body]:
    """The stages' tables. vLLM-Omni ignores the root's sampling fields beside them, so the thinker's gets them too."""
    thinker = {("max_tokens" if name == options.max_tokens_field else name): value for name, value in sampling.items()}
    first, *rest = options.sampling_params_list
    return [{**first, **thinker}, *rest]


def _extra(extra: Mapping[str, str]) -> Body:
    """Root fields from `decoding.extra`: a value that is JSON is sent as what it means, any other as a string."""
    if taken := RESERVED.intersection(extra):
        raise _bad(f"decoding.extra sets {', '.join(sorted(taken))}, which the adapter writes: leave it out")
    fields: Body = {}
    for name, value in extra.items():
        try:
            fields[name] = json.loads(value)
        except json.JSONDecodeError:
            fields[name] = value
    return fields


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)


# Chat completions: one question is posted, and its answer read whole or piece by piece.


class ChatClient(Connection):
    """A connection that asks questions. `ask` may be called from many threads."""

    def __init__(self, options: OpenaiOptions, key: str) -> None:
        super().__init__(options, key)
        self._options = options

    def ask(
        self, body: Body, spoken: bool, write: Callable[[str], None], gone: Callable[[], bool]
    ) -> ChatAnswer | None:
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

    async def _whole(self, body: Body, spoken: bool) -> ChatAnswer:
        fields = dict(body)
        response = await self.client.chat.completions.with_raw_response.create(
            model=fields.pop("model", omit), messages=fields.pop("messages"), extra_body=fields
        )
        heard = read_answer(response.text, self._options.audio_format, spoken)
        return _with_tries(heard, response.retries_taken)

    async def _streamed(self, body: Body, write: Callable[[str], None]) -> ChatAnswer:
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
                    tokens = token_counts(chunk.usage.model_dump())
                for choice in chunk.choices or []:
                    delta = choice.delta
                    write(delta.content or "")
                    # Servers have two names for thinking; refusals come in place of the text.
                    reasoning += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
                    write(delta.refusal or "")
                    refused = refused or bool(delta.refusal)
                    finish = finish_reason_of(choice.finish_reason) if choice.finish_reason else finish
        except ValueError as error:  # half an event
            raise self.faults.away(f"its stream is broken: {error}") from None
        finally:
            await stream.close()
        if finish is None:
            raise self.faults.away("its stream ended before the answer did")
        return ChatAnswer(reasoning=reasoning, finish_reason=FinishReason.REFUSED if refused else finish, tokens=tokens)


def _with_tries(heard: ChatAnswer, retries: int) -> ChatAnswer:
    """The answer with the number of further tries that it took."""
    diagnostics = {**heard.diagnostics, "retries": float(retries)}
    return ChatAnswer(heard.text, heard.reasoning, heard.audio, heard.finish_reason, heard.tokens, diagnostics)
