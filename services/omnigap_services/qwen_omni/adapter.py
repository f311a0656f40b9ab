"""The `qwen-omni` service: Qwen2.5-Omni and Qwen3-Omni in all six conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from omnigap.vocabulary import CONDITIONS, Modality, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, DecodingOptions, Request, Turn, Voice
from omnigap_services.options import read_options
from omnigap_services.qwen_omni.family import SAMPLE_RATE
from omnigap_services.qwen_omni.options import SERVICE, TALKER_LIMIT, QwenOmniOptions
from omnigap_services.source import source_hash

# Only `load` and `generate` import torch and transformers: listing the services and checking options needs neither.
_LIBRARIES = ("torch", "transformers", "tokenizers", "accelerate", "torchvision", "safetensors")

_NO_SPEECH = Capability(Support.UNSUPPORTED, "the service was started without speech (option speech = false)")

MAX_AUDIO_S = 120.0
"""Longest clip of a question, unless the checkpoint's processor takes less."""


class QwenOmniAdapter(Adapter):
    """One thread owns the model; text and speech answers go through it in batches."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(QwenOmniOptions, SERVICE, options)

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        from omnigap_services.torch_utils.versions import let_torchvision_import

        let_torchvision_import()
        from omnigap_services.qwen_omni.tiny import build

        return build(options, folder)

    def load(self) -> Card:
        from omnigap_services.qwen_omni.loading import load, settings

        self._loaded = loaded = load(self._options)
        has_speech = loaded.engine.talker is not None
        # A sampled talker draws from one generator, so its requests are answered one by one.
        max_batch_size = 1 if has_speech and self._options.profile == "upstream" else self._options.max_batch_size
        return Card(
            name=self._options.name or loaded.weights.name.rpartition("/")[2],
            conditions={c: NATIVE if has_speech or c.output is Modality.TEXT else _NO_SPEECH for c in CONDITIONS},
            architecture=loaded.family.architecture,
            weights_revision=loaded.weights.revision,
            weights_source=loaded.weights.source,
            settings={
                **settings(loaded, self._options),
                "code.torch_utils": source_hash("omnigap_services.torch_utils"),
            },
            libraries=_LIBRARIES,
            # The speakers speak every language of the model: "mul" is the code for multiple languages.
            voices=tuple(Voice(name, "mul") for name in loaded.defaults.speakers),
            max_batch_size=max_batch_size,
            max_queue=self._options.max_queue,
            output_sample_rate_hz=SAMPLE_RATE if has_speech else 0,
            max_audio_seconds=min(MAX_AUDIO_S, loaded.max_audio_s),
        )

    def warm_up(self) -> Request | None:
        """A white image and a few tokens; a full-length warm-up answer could take minutes."""
        output = Modality.SPEECH if self._options.speech else Modality.TEXT
        decoding = DecodingOptions(max_new_tokens=8, extra={TALKER_LIMIT: "16"})
        return Request(parts=(Image.new("RGB", (64, 64), "white"),), output=output, decoding=decoding)

    def generate(self, batch: Sequence[Turn]) -> None:
        from omnigap_services.qwen_omni.answer import Answer, OwnText

        loaded, answers = self._loaded, []
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                decoding = loaded.defaults.decoding(turn.request)
                prompt = loaded.prompt_builder.prompt(turn.request)
            except Exception as error:
                # An invalid request fails on its own; the others of the batch are answered.
                turn.fail(error)
                continue
            answers.append(Answer(turn, prompt, decoding, OwnText(loaded.tokenizer, turn.write)))
        loaded.engine.answer(answers, self._options.max_batch_size, self._options.max_batch_tokens)
