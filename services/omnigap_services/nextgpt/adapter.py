"""The `nextgpt` service: questions as text or images to NExT-GPT, which answers in text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnigap.vocabulary import Architecture, Condition, Modality, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, Request, Turn
from omnigap_services.nextgpt.generation import Generation
from omnigap_services.nextgpt.imagebind import CLIPS, MARGIN_COLOUR, SAMPLE_RATE_HZ, SIDE
from omnigap_services.nextgpt.loading import Nextgpt, load_nextgpt
from omnigap_services.nextgpt.options import SERVICE, NextgptOptions
from omnigap_services.options import read_options
from omnigap_services.server.lifecycle import default_warm_up
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.decoding import DECODING_OPTIONS, Decoding, decoding_of
from omnigap_services.torch_utils.text_generation import answer_turns

# Two tokens run both the prompt pass and a cached step; a full answer could take minutes.
_WARM_UP_TOKENS = 2

# As in `hf-chat`: a question that comes a moment later must not wait for a whole pass.
_BATCH_WAIT_S = 0.03

_NO_SPEECH_INPUT = (
    "ImageBind makes one vector of a whole clip, which cannot carry the words of a question; audio_control = true asks"
    " such questions as a control at chance level"
)
_CONTROL = (
    "a control at chance level, not support for speech: ImageBind makes one vector of a whole clip, which cannot carry"
    " the words of a question"
)
_NO_SPEECH_OUTPUT = (
    "its audio decoder (AudioLDM) makes sound effects and has no voice; in a cascade, a TTS service reads its answers"
    " aloud"
)
_NO_IMAGES = "the delta has no embeddings of <Img> and </Img>, which enclose an image: they would be random"


class NextgptAdapter(Adapter):
    """NExT-GPT with text answers; its decoders for images, videos and sounds are not loaded."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(NextgptOptions, SERVICE, options)
        self._card: Card | None = None

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        """Tiny random weights in the layout of the real ones, see `Adapter.build_tiny`."""
        from omnigap_services.nextgpt.tiny import build

        return build(options, folder)

    def load(self) -> Card:
        model = load_nextgpt(self._options)
        self._generation = Generation(model)
        self._card = self._card_of(model)
        return self._card

    def warm_up(self) -> Request | None:
        assert self._card is not None, "warm-up before load"
        return default_warm_up(self._card, _WARM_UP_TOKENS)

    def generate(self, batch: Sequence[Turn]) -> None:
        def decoding(request: Request) -> Decoding:
            return decoding_of(request.decoding, self._options)

        # Text and images share a pass: both are embeddings by then.
        answer_turns(self._generation, batch, decoding, group_of=lambda _: ())

    def _card_of(self, model: Nextgpt) -> Card:
        options = self._options
        shown = options.model_dump(mode="json", include={*DECODING_OPTIONS, "allow_missing_weights", "audio_control"})
        margins = f"padded to a square with the colour {MARGIN_COLOUR}, then {SIDE} x {SIDE}: all of it is used"
        middle = f"its middle square, {SIDE} x {SIDE}: the ends of a wide picture are cut off"
        return Card(
            # A control must not look like the model in a table.
            name=options.name or (f"{model.name}-audio-control" if options.audio_control else model.name),
            conditions=self._conditions(model),
            architecture=Architecture.DIFFUSION_HYBRID,
            weights_revision=model.revision,
            weights_source=model.source,
            settings={
                **{name: value if isinstance(value, str) else json.dumps(value) for name, value in shown.items()},
                **model.placement.settings(),
                "code.torch_utils": source_hash("omnigap_services.torch_utils"),
                "image": margins if options.letterbox else middle,
                **({"audio": f"{CLIPS} clips of 2 s, one vector"} if options.audio_control else {}),
                "imagebind_dtype": "float32",
                "lora_alpha": f"{model.lora_alpha:g}",
            },
            libraries=("torch", "transformers", "sentencepiece"),
            max_batch_size=options.max_batch_size,
            batch_wait_s=_BATCH_WAIT_S if options.max_batch_size > 1 else 0.0,
            max_queue=options.max_queue,
            input_sample_rate_hz=SAMPLE_RATE_HZ,
            max_audio_seconds=options.max_audio_seconds,
            max_image_pixels=options.max_image_pixels,
        )

    def _conditions(self, model: Nextgpt) -> dict[Condition, Capability]:
        control = Capability(Support.ASSISTED, _CONTROL) if model.audio else None
        return {
            Condition(Modality.TEXT, Modality.TEXT): NATIVE,
            Condition(Modality.SPEECH, Modality.TEXT): control or Capability(Support.UNSUPPORTED, _NO_SPEECH_INPUT),
            Condition(Modality.IMAGE, Modality.TEXT): _image_capability(self._options.letterbox, model.reads_images),
            **{
                Condition(modality, Modality.SPEECH): Capability(Support.UNSUPPORTED, _NO_SPEECH_OUTPUT)
                for modality in Modality
            },
        }


def _image_capability(letterbox: bool, possible: bool) -> Capability:
    if not possible:
        return Capability(Support.UNSUPPORTED, _NO_IMAGES)
    part = "the whole picture, with margins" if letterbox else "the middle square of a picture"
    return Capability(Support.NATIVE, f"one vector of {part}, at {SIDE} x {SIDE} pixels")
