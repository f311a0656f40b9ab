"""What a model author writes: a card that says what the model is, `load()`, and `generate(batch)`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from PIL import Image

from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Architecture, Condition, FinishReason, Modality, Support


@dataclass(frozen=True, slots=True)
class Capability:
    """What a service can do in one condition, and for what is not native, why."""

    support: Support
    reason: str = ""


NATIVE = Capability(Support.NATIVE)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that the service speaks with; `language` is a BCP-47 tag."""

    name: str
    language: str


@dataclass(frozen=True, slots=True)
class Part:
    """A service that this one calls; its digest is part of this one's."""

    role: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Card:
    """Who a loaded service is. All but the limits goes into its digest.

    Attributes:
        name: the service's name in reports.
        conditions: what is not listed is unsupported.
        architecture: None for services that are not models.
        weights_revision: hub revision or content hash of the weights.
        settings: everything else that changes answers: decoding defaults, dtype, device kind.
        libraries: distributions whose versions change answers; the server reads the versions.
        max_batch_size: requests that one `generate` takes at once.
        workers: threads that call `generate`; more than one only where no device is owned (a proxy).
        input_sample_rate_hz: audio reaches `generate` at this rate.
        output_sample_rate_hz: rate of `speak`; 0 where the service never speaks.
    """

    name: str
    conditions: Mapping[Condition, Capability]
    architecture: Architecture | None = None
    version: str = "1"
    weights_revision: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    voices: tuple[Voice, ...] = ()
    languages: tuple[str, ...] = ()
    max_batch_size: int = 1
    workers: int = 1
    max_concurrent: int = 0
    max_queue: int = 64
    input_sample_rate_hz: int = 16_000
    output_sample_rate_hz: int = 0
    max_audio_seconds: float = 120.0
    max_image_pixels: int = 16_000_000
    max_text_chars: int = 20_000


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How to decode; None leaves the service's declared default."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    beam_size: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


InputPart = str | AudioClip | Image.Image
"""One part of a question, decoded: text, mono audio at the card's input rate, or an RGB image."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question, decoded and checked: the carrier first, then the typed instruction, if there is one."""

    parts: tuple[InputPart, ...]
    output: Modality
    system_prompt: str = ""
    decoding: DecodingOptions = DecodingOptions()
    voice: str | None = None
    words_per_minute: float | None = None
    language: str = ""

    @property
    def carrier(self) -> InputPart:
        """The part that brings the question."""
        return self.parts[0]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(part for part in self.parts if isinstance(part, str))

    @property
    def condition(self) -> Condition:
        """Speech where a part is audio, image where one is an image, else text."""
        for part in self.parts:
            if isinstance(part, AudioClip):
                return Condition(Modality.SPEECH, self.output)
            if isinstance(part, Image.Image):
                return Condition(Modality.IMAGE, self.output)
        return Condition(Modality.TEXT, self.output)


@dataclass(frozen=True, slots=True)
class Completion:
    """How an answer ended; counts that the adapter does not know stay 0."""

    finish_reason: FinishReason = FinishReason.STOP
    input_tokens: int = 0
    output_tokens: int = 0
    audio_tokens: int = 0
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    detected_language: str = ""


@runtime_checkable
class Turn(Protocol):
    """One request in a batch, and the way back for its answer. All methods may be called from any thread.

    None of them raises for what it is given: audio that nobody could play (NaN, not mono, a second rate, speech where
    text was asked for) ends this turn with MODEL_ERROR, and what comes after the end of a turn is dropped.
    """

    @property
    def request(self) -> Request: ...

    @property
    def cancelled(self) -> bool:
        """True once the last caller went away or its deadline passed, and then for good: stop between two steps."""

    def write(self, text: str) -> None:
        """Sends a piece of the answer's own text."""

    def reason(self, text: str) -> None:
        """Sends a piece of thinking that is not part of the answer."""

    def speak(self, samples: Samples, sample_rate: int) -> None:
        """Sends a piece of audio: mono float32, shape (n,), at `sample_rate` Hz."""

    def speak_pcm16(self, data: bytes, sample_rate: int) -> None:
        """Sends a piece of audio that is signed 16-bit little-endian mono already, as it is."""

    def complete(self, completion: Completion) -> None:
        """Ends the answer. Called for the adapter with a default where `generate` returns without it."""

    def fail(self, error: Exception) -> None:
        """Ends this request alone with an error; the others of the batch go on.

        One that is no ContractError is logged with its traceback: an adapter that passes it on need not do so.
        """


class Adapter(ABC):
    """A model behind the Generate server. One thread owns it, unless its card asks for more `workers`."""

    def __init__(self, options: Mapping[str, object]) -> None:
        """Takes the table that `--config` or the fleet gives; an unknown key must be refused with its name."""
        self.options = options

    @abstractmethod
    def load(self) -> Card:
        """Loads weights and returns the card. Called once, in the thread that will own the device."""

    @abstractmethod
    def generate(self, batch: Sequence[Turn]) -> None:
        """Answers every turn of the batch, through `write`, `speak` and `complete`; an exception fails what is open."""

    def warm_up(self) -> Request | None:
        """A request that proves the service works before it says SERVING; None takes the server's default."""
        return None

    def close(self) -> None:
        """Frees what `load` took (child processes, channels)."""
        return
