"""The `openai` service: one chat completion per question, for any model behind an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnigap.errors import ContractError
from omnigap.media import resample
from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import Adapter, Capability, Card, Completion, Turn
from omnigap_services.openai_server.chat import ChatClient, build_body
from omnigap_services.openai_server.endpoint import read_key
from omnigap_services.openai_server.options import SERVICE, read_openai_options


class OpenaiAdapter(Adapter):
    """A proxy. It owns no device, so it has one worker for each simultaneous call."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_openai_options(options)
        self._key = read_key(SERVICE, self._options)
        self._client: ChatClient | None = None

    def load(self) -> Card:
        self._client = ChatClient(self._options, self._key)
        self._client.wait_until_ready()
        return self._card()

    def _card(self) -> Card:
        options = self._options
        conditions = {condition: self._capability(condition) for condition in CONDITIONS}
        has_speech = any(
            condition.output is Modality.SPEECH and found.support is not Support.UNSUPPORTED
            for condition, found in conditions.items()
        )
        return Card(
            name=options.title,
            conditions=conditions,
            architecture=options.architecture,
            weights_revision=options.revision,
            settings=options.settings(),
            libraries=("openai",),
            workers=options.concurrency,
            max_concurrent=options.concurrency,
            max_queue=options.max_queue,
            output_sample_rate_hz=options.output_sample_rate_hz if has_speech else 0,
        )

    def _capability(self, condition: Condition) -> Capability:
        # Declared by the options: such servers cannot be asked what a model supports.
        options, name = self._options, condition.name
        reason = options.reasons.get(name, "")
        if name in options.conditions:
            return Capability(Support.NATIVE, reason)
        if name in options.assisted:
            return Capability(Support.ASSISTED, reason or "with the help of another model")
        return Capability(Support.UNSUPPORTED, reason or f"not in the conditions of {options.title}")

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._client is not None, "generate before load"
        request, speech = turn.request, turn.request.output is Modality.SPEECH
        body = build_body(request, self._options)
        answer = self._client.complete(body, speech, turn.write, lambda: turn.cancelled)
        if answer is None:
            return
        turn.reason(answer.reasoning)
        turn.write(answer.text)
        if answer.audio is not None:
            # The card declares one rate. A server that sends another one is resampled; its diagnostics keep the rate.
            rate = self._options.output_sample_rate_hz
            turn.speak(
                resample(answer.audio, rate).samples if len(answer.audio.samples) else answer.audio.samples, rate
            )
        input_tokens, output_tokens, audio_tokens = answer.tokens
        turn.complete(
            Completion(
                finish_reason=answer.finish_reason,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                audio_tokens=audio_tokens,
                diagnostics=answer.diagnostics,
            )
        )

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
