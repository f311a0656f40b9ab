"""The card of a model on Triton: conditions follow from its tensors, the digest from all that changes answers."""

from __future__ import annotations

from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import Capability, Card
from omnigap_services.options import OptionsError
from omnigap_services.triton_server.options import SERVICE, TritonOptions
from omnigap_services.triton_server.signature import Signature

_CARRIER_OF = {Modality.TEXT: "text", Modality.SPEECH: "audio", Modality.IMAGE: "image"}
_ANSWER_OF = {Modality.TEXT: "text", Modality.SPEECH: "audio"}


def card_of(options: TritonOptions, signature: Signature) -> Card:
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
