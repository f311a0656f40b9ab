"""The `openai` service: one chat completion a question, for any model behind an OpenAI-compatible server."""

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
    """A proxy: it owns no device, so as many threads call it as calls may be under way."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_openai_options(options)
        self._key = read_key(SERVICE, self._set)
        self._upstream: ChatClient | None = None

    def load(self) -> Card:
        self._upstream = ChatClient(self._set, self._key)
        self._upstream.wait_until_there()
        return self._card()

    def _card(self) -> Card:
        options = self._set
        conditions = {condition: self._capability(condition) for condition in CONDITIONS}
        speaks = any(
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
            output_sample_rate_hz=options.output_sample_rate_hz if speaks else 0,
        )

    def _capability(self, condition: Condition) -> Capability:
        options, name = self._set, condition.name
        reason = options.reasons.get(name, "")
        if name in options.conditions:
            return Capability(Support.NATIVE, reason)
        if name in options.assisted:
            return Capability(Support.ASSISTED, reason or "with another model's help")
        return Capability(Support.UNSUPPORTED, reason or f"the options of {options.title} do not list it")

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._upstream is not None, "generate before load"
        request, spoken = turn.request, turn.request.output is Modality.SPEECH
        heard = self._upstream.ask(build_body(request, self._set), spoken, turn.write, lambda: turn.cancelled)
        if heard is None:
            return
        turn.reason(heard.reasoning)
        turn.write(heard.text)
        if heard.audio is not None:
            # The card names one rate; a server that sends another, told by its diagnostics, is brought to it.
            clip = resample(heard.audio, self._set.output_sample_rate_hz)
            turn.speak(clip.samples, clip.sample_rate)
        in_tokens, out_tokens, audio_tokens = heard.tokens
        turn.complete(
            Completion(
                finish_reason=heard.finish_reason,
                input_tokens=in_tokens,
                output_tokens=out_tokens,
                audio_tokens=audio_tokens,
                diagnostics=heard.diagnostics,
            )
        )

    def close(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
