"""The card of a model on Triton: conditions follow from its tensors, the digest from all that changes answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnigap.errors import ContractError
from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import Adapter, Capability, Card, Turn
from omnigap_services.options import OptionsError
from omnigap_services.triton_server.client import Response, TritonClient
from omnigap_services.triton_server.inputs import InputBuilder
from omnigap_services.triton_server.options import SERVICE, TritonOptions, read_triton_options
from omnigap_services.triton_server.outputs import Delta, OutputReader
from omnigap_services.triton_server.tensors import Signature
from omnigap_services.triton_server.validate import validate_options

_CARRIER_OF = {Modality.TEXT: "text", Modality.SPEECH: "audio", Modality.IMAGE: "image"}
_ANSWER_OF = {Modality.TEXT: "text", Modality.SPEECH: "audio"}


def build_card(options: TritonOptions, signature: Signature) -> Card:
    """The card.

    Raises:
        OptionsError: where no condition is left, or the options list one for which a tensor is missing.
    """
    conditions = {condition: _capability(condition, options) for condition in CONDITIONS}
    able = [condition for condition, found in conditions.items() if found.support is not Support.UNSUPPORTED]
    if not able:
        text = "no condition is left: map one of inputs.text, audio, image, and one of outputs.text, audio"
        raise OptionsError(f"service {SERVICE}: {text}")
    speaks = any(condition.output is Modality.SPEECH for condition in able)
    return Card(
        name=options.title,
        conditions=conditions,
        architecture=options.architecture,
        weights_revision=options.revision,
        settings={
            **options.settings(),
            "triton.server": signature.server,
            "triton.backend": signature.backend,
            "triton.model_version": signature.version,
            "triton.model_config": signature.config_sha256,
        },
        libraries=("tritonclient",),
        workers=options.concurrency,
        max_concurrent=options.concurrency,
        max_queue=options.max_queue,
        input_sample_rate_hz=options.input_sample_rate_hz,
        output_sample_rate_hz=options.output_sample_rate_hz if speaks else 0,
        max_audio_seconds=options.max_audio_seconds,
    )


def _capability(condition: Condition, options: TritonOptions) -> Capability:
    reason = options.reasons.get(condition.name, "")
    listed = condition.name in (*(options.conditions or ()), *options.assisted)
    if missing := _missing(condition, options):
        if listed:
            raise OptionsError(f"service {SERVICE}: {condition.name} is listed, but {missing}")
        return Capability(Support.UNSUPPORTED, reason or missing)
    if condition.name in options.assisted:
        return Capability(Support.ASSISTED, reason or "with another model's help")
    if options.conditions is None or listed:
        return Capability(Support.NATIVE, reason)
    return Capability(Support.UNSUPPORTED, reason or f"the options of {options.title} do not list it")


def _missing(condition: Condition, options: TritonOptions) -> str:
    """Which tensor the condition lacks; empty where it has both."""
    carrier, answer = _CARRIER_OF[condition.input], _ANSWER_OF[condition.output]
    if not getattr(options.inputs, carrier):
        return f"no tensor takes it: inputs.{carrier} is not set"
    if not getattr(options.outputs, answer):
        return f"no tensor brings it: outputs.{answer} is not set"
    return ""


# The `triton` service: one inference request a question, for any model on an NVIDIA Triton server.


class TritonAdapter(Adapter):
    """A proxy: it owns no device, so as many threads call it as calls may be under way; Triton forms the batches."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_triton_options(options)
        self._upstream: TritonClient | None = None

    def load(self) -> Card:
        self._upstream = TritonClient(self._set)
        self._signature: Signature = self._upstream.signature()
        validate_options(self._set, self._signature)
        self._feeder = InputBuilder(self._set, self._signature)
        return build_card(self._set, self._signature)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._upstream is not None, "generate before load"
        request = turn.request
        inputs, reader = self._feeder.feed(request), OutputReader(self._set, request.output)

        def take(response: Response) -> None:
            self._hand_on(turn, reader.take(response))

        retries = self._upstream.ask(self._signature, inputs, reader.wanted, take, lambda: turn.cancelled)
        if retries is None:
            return
        if self._set.reads_aloud:
            turn.write(self._set.text_separator.join(request.texts))
        self._hand_on(turn, reader.rest())
        turn.complete(reader.completion(retries))

    def _hand_on(self, turn: Turn, piece: Delta) -> None:
        turn.reason(piece.reasoning)
        turn.write(piece.text)
        if piece.audio is not None and piece.audio.size:
            turn.speak(piece.audio, self._set.output_sample_rate_hz)

    def close(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
