"""The `triton` service: one inference request per question, for any model on an NVIDIA Triton server."""

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

_INPUT_ROLES = {Modality.TEXT: "text", Modality.SPEECH: "audio", Modality.IMAGE: "image"}
_OUTPUT_ROLES = {Modality.TEXT: "text", Modality.SPEECH: "audio"}


class TritonAdapter(Adapter):
    """A proxy. It owns no device, so it has one worker for each simultaneous call; Triton forms the batches."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_triton_options(options)
        self._client: TritonClient | None = None

    def load(self) -> Card:
        self._client = TritonClient(self._options)
        self._signature = self._client.signature()
        validate_options(self._options, self._signature)
        self._input_builder = InputBuilder(self._options, self._signature)
        return build_card(self._options, self._signature)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._client is not None, "generate before load"
        request = turn.request
        inputs, reader = self._input_builder.build(request), OutputReader(self._options, request.output)

        def on_response(response: Response) -> None:
            self._send(turn, reader.add(response))

        retries = self._client.infer(self._signature, inputs, reader.requested, on_response, lambda: turn.cancelled)
        if retries is None:
            return
        # A TTS model returns no text: its own text is the one that it was given.
        if self._options.reads_aloud:
            turn.write(self._options.text_separator.join(request.texts))
        self._send(turn, reader.finish())
        turn.complete(reader.completion(retries))

    def _send(self, turn: Turn, delta: Delta) -> None:
        turn.reason(delta.reasoning)
        turn.write(delta.text)
        if delta.audio is not None:
            turn.speak(delta.audio, self._options.output_sample_rate_hz)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def build_card(options: TritonOptions, signature: Signature) -> Card:
    """The card: conditions follow from the mapped tensors, the digest from everything that changes answers.

    Raises:
        OptionsError: no condition is left, or the options list one whose tensor is not mapped.
    """
    conditions = {condition: _capability(condition, options) for condition in CONDITIONS}
    supported = [condition for condition, found in conditions.items() if found.support is not Support.UNSUPPORTED]
    if not supported:
        text = "no condition is left: map one of inputs.text, audio, image, and one of outputs.text, audio"
        raise OptionsError(f"service {SERVICE}: {text}")
    has_speech = any(condition.output is Modality.SPEECH for condition in supported)
    return Card(
        name=options.title,
        conditions=conditions,
        architecture=options.architecture,
        weights_revision=options.revision,
        settings={
            **options.settings(),
            # Triton cannot be asked for the weights, but for these: a new server or configuration is another service.
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
        output_sample_rate_hz=options.output_sample_rate_hz if has_speech else 0,
        max_audio_seconds=options.max_audio_seconds,
    )


def _capability(condition: Condition, options: TritonOptions) -> Capability:
    reason = options.reasons.get(condition.name, "")
    listed = condition.name in (*(options.conditions or ()), *options.assisted)
    if missing := _missing_tensor(condition, options):
        if listed:
            raise OptionsError(f"service {SERVICE}: {condition.name} is listed, but {missing}")
        return Capability(Support.UNSUPPORTED, reason or missing)
    if condition.name in options.assisted:
        return Capability(Support.ASSISTED, reason or "with the help of another model")
    if options.conditions is None or listed:
        return Capability(Support.NATIVE, reason)
    return Capability(Support.UNSUPPORTED, reason or f"not in the conditions of {options.title}")


def _missing_tensor(condition: Condition, options: TritonOptions) -> str:
    """Which tensor a condition lacks; empty if it has both."""
    carrier, answer = _INPUT_ROLES[condition.input], _OUTPUT_ROLES[condition.output]
    if not getattr(options.inputs, carrier):
        return f"no tensor takes the question: inputs.{carrier} is not set"
    if not getattr(options.outputs, answer):
        return f"no tensor has the answer: outputs.{answer} is not set"
    return ""
