"""From requests to token ids: the authors' conversation form, with speech and images as discrete tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

import torch
from PIL import Image

from omnigap.media import AudioClip
from omnigap_services.adapter import Request
from omnigap_services.anygpt.options import IMAGE, SPEECH, TEXT, AnygptOptions
from omnigap_services.anygpt.seed_encoder import SeedEncoder
from omnigap_services.anygpt.speech_tokenizer import SpeechTokenizer
from omnigap_services.anygpt.vocabulary import ASSISTANT, END_OF_HUMAN, HUMAN, Part, Vocabulary


@dataclass(frozen=True, slots=True)
class Prompt:
    """The input of one request.

    Attributes:
        parts: texts and ids of added tokens, up to the colon behind the assistant's name.
        ids: the same as ids.
        speech_tokens, image_tokens: codes of the carrier among them.
    """

    parts: tuple[Part, ...]
    ids: tuple[int, ...]
    speech_tokens: int = 0
    image_tokens: int = 0


class PromptBuilder:
    """Builds prompts, one request at a time, so that they do not depend on a batch.

    Args:
        speech_tokenizer, image_encoder: None if the options leave speech or images out.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        options: AnygptOptions,
        speech_tokenizer: SpeechTokenizer | None,
        image_encoder: SeedEncoder | None,
    ) -> None:
        self._vocabulary = vocabulary
        self._options = options
        self._speech_tokenizer = speech_tokenizer
        self._image_encoder = image_encoder

    @torch.inference_mode()
    def prompt(self, request: Request) -> Prompt:
        """The prompt of a request."""
        speech = [self._speech_codes(part) for part in request.parts if isinstance(part, AudioClip)]
        image = [self._image_codes(part) for part in request.parts if isinstance(part, Image.Image)]
        fields: dict[str, Sequence[Part]] = {TEXT: ["\n".join(request.texts).strip()]}
        template = self._options.text_template
        if speech and self._vocabulary.speech:
            template = self._options.speech_template
            fields[SPEECH] = _separate(map(self._vocabulary.speech.ids, speech))
        elif image and self._vocabulary.image:
            template = self._options.image_template
            fields[IMAGE] = _separate(map(self._vocabulary.image.ids, image))
        parts = self._turn(
            request.system_prompt or self._options.system_prompt, _filled(template, fields, self._vocabulary.parts)
        )
        return Prompt(tuple(parts), tuple(self._vocabulary.ids(parts)), sum(map(len, speech)), sum(map(len, image)))

    def continued(self, prompt: Prompt, text: str) -> list[int]:
        """The ids of a prompt with its written answer, from where the model reads the answer aloud."""
        assert self._vocabulary.speech, "speech is refused for a checkpoint without speech tokens"
        return self._vocabulary.ids([*prompt.parts, f" {text} ", self._vocabulary.speech.start])

    def _turn(self, system: str, message: Sequence[Part]) -> list[Part]:
        human, end, assistant = (self._vocabulary.id_of(name) for name in (HUMAN, END_OF_HUMAN, ASSISTANT))
        # One turn: the authors' program appends every later question to the history.
        return [*([f"{system}\n"] if system else []), human, ": ", *message, end, "\n", assistant, ":"]

    def _speech_codes(self, clip: AudioClip) -> list[int]:
        """The semantic codes of a clip, 50 per second."""
        assert self._speech_tokenizer is not None, "speech is refused by the card without a codec"
        device = next(self._speech_tokenizer.parameters()).device
        wave = torch.from_numpy(clip.samples)[None, None].to(device)
        found: list[int] = self._speech_tokenizer.encode(wave)[0, 0].tolist()
        return found

    def _image_codes(self, image: Image.Image) -> list[int]:
        assert self._image_encoder is not None, "images are refused by the card without an encoder"
        device = next(self._image_encoder.parameters()).device
        pixels = self._image_encoder.preprocess(image)[None].to(device)
        found: list[int] = self._image_encoder.encode(pixels)[0].tolist()
        return found


def _separate(media: Iterable[Sequence[Part]]) -> list[Part]:
    """Clips or pictures with their own marks and a space between them, as in the authors' program."""
    found: list[Part] = []
    for one in media:
        found += [" ", *one] if found else one
    return found


def _filled(template: str, fields: Mapping[str, Sequence[Part]], split: Callable[[str], list[Part]]) -> list[Part]:
    """A template with its fields, without space around the whole. What a field holds is never read as a mark."""
    parts: list[Part] = []
    for literal, name, *_ in Formatter().parse(template.strip()):
        if name == TEXT and not any(fields[TEXT]):
            # Without typed text, one space fewer.
            literal = literal.removesuffix(" ")
        parts += split(literal)
        parts += fields[name] if name else []
    return parts
