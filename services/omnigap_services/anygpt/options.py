"""Options of the `anygpt` service, and the decoding of one request: its own fields over the options' defaults."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter

from pydantic import Field, ValidationInfo, field_validator

from omnigap.vocabulary import Modality
from omnigap_services.adapter import Request
from omnigap_services.torch_utils.checkpoint import CheckpointOptions
from omnigap_services.torch_utils.decoding import bad_request, first_set, limit_of

SERVICE = "anygpt"

SPEECH_LIMIT = "max_speech_tokens"
"""The only known key of `decoding.extra`, and the option of the same meaning."""

SYSTEM_PROMPT = (
    "You are an AI assistant named MMGPT who can understand and generate multimodal content, including text, speech,"
    " images and audio."
)
"""The one that the chat model was trained with (prompter.py of the authors)."""

TEXT, SPEECH, IMAGE = "text", "speech", "image"
_FIELDS = {"text_template": {TEXT}, "speech_template": {SPEECH, TEXT}, "image_template": {IMAGE, TEXT}}


class AnygptOptions(CheckpointOptions):
    """Options of the `anygpt` service; extends `CheckpointOptions`.

    Attributes:
        checkpoint: the language model: a folder, or a hub name such as `fnlp/AnyGPT-chat`.
        revision: the full commit of a hub name; empty for a folder, which is identified by its content.
        speech_modules, speech_modules_revision: the same for codec and SoundStorm (`fnlp/AnyGPT-speech-modules`).
        soundstorm_file: path of SoundStorm's weights within `speech_modules`.
        image_tokenizer, image_tokenizer_revision: the same for `seed_quantizer.pt` (`AILab-CVC/seed-tokenizer-2`).
        vision_encoder: eva_vit_g.pth, needed only if seed_quantizer.pt lacks tensors of the vision encoder.
        name: in reports; empty: the last part of the checkpoint's name.
        speech: false loads neither codec nor SoundStorm; conditions with speech are then unsupported.
        image: false loads no image encoder; conditions with images are then unsupported.
        system_prompt: used if a request has none; empty: none.
        text_template, speech_template, image_template: the user's turn by input. Fields: `{text}` is the typed text of
            the request, `{speech}` and `{image}` the tokens of the carrier. Without typed text, ` {text}` is left out
            together with the space before it.
        max_new_tokens: text tokens of an answer, if a request sets none. For a spoken question the model's transcript
            counts too, because it is written first.
        max_speech_tokens: speech tokens of an answer, 50 per second.
        temperature, top_p, top_k: of text and speech tokens, if a request sets none; temperature 0 is greedy.
        repetition_penalty: of text for typed and pictured questions.
        speech_repetition_penalty: of generations that contain speech tokens of the answer: the whole answer to a spoken
            question, and the reading of an assisted answer.
        seed: of sampling, and of SoundStorm's draws, which choose the voice; if a request has none.
        voice_clip: an audio file whose voice is imitated instead; a few seconds of speech.
        vc_steps: passes of SoundStorm over the first acoustic level.
        max_batch_size: requests in one pass of the model.
        max_queue: requests that may wait.
        max_audio_seconds: longest clip of a question; 50 tokens of the context per second.
    """

    checkpoint: str = Field(min_length=1)
    revision: str = ""
    speech_modules: str = ""
    speech_modules_revision: str = ""
    soundstorm_file: str = Field(default="soundstorm/speechtokenizer_soundstorm_mls.pt", min_length=1)
    image_tokenizer: str = ""
    image_tokenizer_revision: str = ""
    vision_encoder: str = ""
    name: str = ""
    speech: bool = True
    image: bool = True
    system_prompt: str = SYSTEM_PROMPT
    text_template: str = "{text}"
    # Spoken questions were trained with this sentence (the maintainer, issue 32 of the authors' repository).
    speech_template: str = "{speech} {text} Please recognize the voice command and give reply and voice"
    image_template: str = "{image} {text}"
    max_new_tokens: int = Field(default=512, ge=1, le=32_768)
    max_speech_tokens: int = Field(default=1_500, ge=1, le=32_768)
    temperature: float = Field(default=0.0, ge=0, le=100)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    repetition_penalty: float = Field(default=1.0, gt=0, le=100)
    speech_repetition_penalty: float = Field(default=1.05, gt=0, le=100)
    seed: int = Field(default=0, ge=0)
    voice_clip: str = ""
    vc_steps: int = Field(default=3, ge=1, le=100)
    max_batch_size: int = Field(default=8, ge=1, le=256)
    max_queue: int = Field(default=64, ge=0)
    max_audio_seconds: float = Field(default=60.0, gt=0, le=600)

    @field_validator(*_FIELDS)
    @classmethod
    def _right_fields(cls, template: str, info: ValidationInfo) -> str:
        wanted = _FIELDS[info.field_name or ""]
        try:
            parsed = list(Formatter().parse(template))
        except ValueError as error:
            raise ValueError(f"it is not a template ({error}): write a literal brace twice") from None
        found = [name for _, name, *_ in parsed if name is not None]
        if any(form or conversion for _, _, form, conversion in parsed) or sorted(found) != sorted(wanted):
            fields = " and ".join(f"{{{name}}}" for name in sorted(wanted))
            raise ValueError(f"it must have {fields}, each once, and no other field")
        return template


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the tokens of one generation are chosen. Greedy generations with equal values can share a batch."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float

    def generate_arguments(self) -> dict[str, object]:
        """Keyword arguments of `generate`."""
        found: dict[str, object] = {
            "do_sample": self.temperature > 0,
            "num_beams": 1,
            "repetition_penalty": self.repetition_penalty,
        }
        # transformers warns about sampling parameters in a greedy call.
        if self.temperature > 0:
            found |= {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        return found


@dataclass(frozen=True, slots=True)
class Decoding:
    """The decoding of one answer.

    Attributes:
        text: of the generation that writes the text; for a spoken question it holds the speech too.
        reading: of the second generation, which reads the text aloud (t2s, i2s).
        seed: of sampling, and of SoundStorm.
    """

    text: Sampling
    reading: Sampling
    max_new_tokens: int
    max_speech_tokens: int
    seed: int

    @property
    def samples(self) -> bool:
        """True if tokens are sampled; such an answer is not batched, so that it depends only on its seed."""
        return self.text.temperature > 0


def decoding_of(request: Request, options: AnygptOptions) -> Decoding:
    """The decoding of a request.

    Raises:
        ContractError: BAD_REQUEST for what the model does not support.
    """
    requested = request.decoding
    if requested.beam_size not in (None, 1):
        raise bad_request(f"decoding.beam_size is {requested.beam_size}, but AnyGPT runs without beams: unset it")
    if request.words_per_minute is not None:
        raise bad_request(f"voice.words_per_minute is {request.words_per_minute:g}, but AnyGPT's rate is fixed")
    if request.voice:
        raise bad_request(f"voice {request.voice!r} does not exist: AnyGPT has no named voices (option voice_clip)")
    temperature = first_set(requested.temperature, options.temperature)
    if not temperature and (requested.top_p not in (None, 1.0) or requested.top_k):
        raise bad_request("decoding sets top_p or top_k, which need a temperature over 0: set one, or unset them")
    if requested.repetition_penalty is not None and requested.repetition_penalty <= 0:
        raise bad_request(f"decoding.repetition_penalty is {requested.repetition_penalty:g}: it must be over 0")

    def sampling(penalty: float) -> Sampling:
        return Sampling(
            temperature,
            first_set(requested.top_p, options.top_p),
            first_set(requested.top_k, options.top_k),
            first_set(requested.repetition_penalty, penalty),
        )

    reading = sampling(options.speech_repetition_penalty)
    # Written and spoken answers to one spoken question come from the same generation, so they have the same text.
    spoken = request.condition.input is Modality.SPEECH
    return Decoding(
        text=reading if spoken else sampling(options.repetition_penalty),
        reading=reading,
        max_new_tokens=first_set(requested.max_new_tokens, options.max_new_tokens),
        max_speech_tokens=limit_of(requested.extra, SPEECH_LIMIT, "tokens", options.max_speech_tokens),
        seed=first_set(requested.seed, options.seed),
    )
