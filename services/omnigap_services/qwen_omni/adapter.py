"""The `qwen-omni` service: Qwen2.5-Omni and Qwen3-Omni in all six conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from omnigap.vocabulary import CONDITIONS, Modality, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, DecodingOptions, Request, Turn, Voice
from omnigap_services.options import read_options
from omnigap_services.qwen_omni.family import SAMPLE_RATE
from omnigap_services.qwen_omni.options import SERVICE, QwenOmniOptions
from omnigap_services.source import source_hash

# Torch and transformers are imported by `load` alone: naming the service and reading its options needs neither.
_LIBRARIES = ("torch", "transformers", "tokenizers", "accelerate", "torchvision", "safetensors")

_MUTE = Capability(Support.UNSUPPORTED, "the service was started without speech (option speech = false)")

LONGEST_AUDIO_S = 120.0
"""Of a question, where the checkpoint's processor does not take less."""


class QwenOmniAdapter(Adapter):
    """One thread owns the model; text and speech answers go through it in batches."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(QwenOmniOptions, SERVICE, options)

    def load(self) -> Card:
        from omnigap_services.qwen_omni.loading import load, settings

        self._loaded = loaded = load(self._set)
        speaks = loaded.engine.talker is not None
        # A sampled talker draws from one generator, so its requests go one by one.
        largest = 1 if speaks and self._set.profile == "upstream" else self._set.max_batch_size
        return Card(
            name=self._set.name or loaded.weights.name.rpartition("/")[2],
            conditions={c: NATIVE if speaks or c.output is Modality.TEXT else _MUTE for c in CONDITIONS},
            architecture=loaded.family.architecture,
            weights_revision=loaded.weights.revision,
            settings={
                **settings(loaded, self._set),
                "code.torch_models": source_hash("omnigap_services.torch_utils"),
            },
            libraries=_LIBRARIES,
            voices=tuple(Voice(name, "mul") for name in loaded.defaults.speakers),
            max_batch_size=largest,
            max_queue=self._set.max_queue,
            output_sample_rate_hz=SAMPLE_RATE if speaks else 0,
            max_audio_seconds=min(LONGEST_AUDIO_S, loaded.longest_audio_s),
        )

    def warm_up(self) -> Request | None:
        """A white image and a few tokens: the whole answer that the server would ask for could take minutes."""
        from omnigap_services.qwen_omni.options import TALKER_LIMIT

        output = Modality.SPEECH if self._set.speech else Modality.TEXT
        few = DecodingOptions(max_new_tokens=8, extra={TALKER_LIMIT: "16"})
        return Request(parts=(Image.new("RGB", (64, 64), "white"),), output=output, decoding=few)

    def generate(self, batch: Sequence[Turn]) -> None:
        from omnigap_services.qwen_omni.answer import Answer, OwnText

        loaded, answers = self._loaded, []
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                decoding = loaded.defaults.decoding(turn.request)
                prompt = loaded.prompter.prompt(turn.request)
            except Exception as error:
                # A faulty request ends alone; its neighbours go on.
                turn.fail(error)
                continue
            answers.append(Answer(turn, prompt, decoding, OwnText(loaded.tokenizer, turn.write)))
        loaded.engine.answer(answers, self._set.max_batch_size, self._set.max_batch_tokens)
