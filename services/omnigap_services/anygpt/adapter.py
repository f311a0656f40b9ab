"""The `anygpt` service: AnyGPT 7B, one language model over discrete tokens of text, speech and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Modality, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, DecodingOptions, Request, Turn
from omnigap_services.anygpt.options import SERVICE, SPEECH_LIMIT, AnygptOptions, decoding_of
from omnigap_services.options import read_options
from omnigap_services.source import source_hash

# Only `load` and `generate` import torch and transformers: listing the services and checking options needs neither.
_LIBRARIES = ("torch", "transformers", "accelerate", "sentencepiece", "pillow")

_ASSISTED = Capability(
    Support.ASSISTED,
    "it was not trained to answer by voice unless it was asked by voice (issue 27 of the authors' repository): a second"
    " generation reads the written answer aloud, from the same prompt, the answer and a forced speech mark",
)
_NO_SPEECH = Capability(Support.UNSUPPORTED, "the service was started without speech (option speech = false)")
_NO_IMAGE = Capability(Support.UNSUPPORTED, "the service was started without images (option image = false)")


class AnygptAdapter(Adapter):
    """One thread owns the model; written and spoken answers go through it in batches."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(AnygptOptions, SERVICE, options)

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        from omnigap_services.anygpt.tiny import build

        return build(options, folder)

    def load(self) -> Card:
        from omnigap_services.anygpt.loading import SAMPLE_RATE, load, settings

        self._loaded = loaded = load(self._options)
        options = self._options
        return Card(
            name=options.name or loaded.weights.name.rpartition("/")[2],
            conditions={condition: self._capability(condition) for condition in CONDITIONS},
            architecture=Architecture.DISCRETE_TOKEN,
            weights_revision=loaded.weights.revision,
            weights_source=loaded.weights.source,
            settings={**settings(loaded, options), "code.torch_utils": source_hash("omnigap_services.torch_utils")},
            libraries=_LIBRARIES,
            max_batch_size=options.max_batch_size,
            max_queue=options.max_queue,
            input_sample_rate_hz=SAMPLE_RATE,
            output_sample_rate_hz=SAMPLE_RATE if options.speech else 0,
            max_audio_seconds=loaded.max_audio_s,
        )

    def warm_up(self) -> Request | None:
        """A few tokens through as many parts as one answer can have; a full answer could take minutes."""
        decoding = DecodingOptions(max_new_tokens=4, extra={SPEECH_LIMIT: "8"})
        output = Modality.SPEECH if self._options.speech else Modality.TEXT
        carrier = Image.new("RGB", (64, 64), "white") if self._options.image else "Hello."
        return Request(parts=(carrier,), output=output, decoding=decoding)

    def generate(self, batch: Sequence[Turn]) -> None:
        from omnigap_services.anygpt.answer import Answer, check_room
        from omnigap_services.torch_utils.generation import split_on_oom

        engine, prompts = self._loaded.engine, self._loaded.prompts
        answers: list[Answer] = []

        def prepare(turns: Sequence[Turn]) -> None:
            for turn in turns:
                decoding = decoding_of(turn.request, self._options)
                prompt = prompts.prompt(turn.request)
                check_room(prompt, engine.context)
                answers.append(Answer(turn, prompt, decoding))

        for turn in batch:
            if turn.cancelled:
                continue
            try:
                # One by one: codec and image encoder must not need more memory for a larger batch.
                split_on_oom([turn], prepare, lambda turn, error: turn.fail(error))
            except Exception as error:
                # An invalid request fails on its own; the others of the batch are answered.
                turn.fail(error)
        engine.answer(answers)

    def _capability(self, condition: Condition) -> Capability:
        if Modality.SPEECH in (condition.input, condition.output) and not self._options.speech:
            return _NO_SPEECH
        if condition.input is Modality.IMAGE and not self._options.image:
            return _NO_IMAGE
        if condition.output is Modality.SPEECH and condition.input is not Modality.SPEECH:
            return _ASSISTED
        return NATIVE
