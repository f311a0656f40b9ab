"""The interface of a model: an `Adapter` with `load()`, which returns a `Card`, and `generate(batch)`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, final, runtime_checkable

from PIL import Image

from omnigap.errors import OmnigapError
from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.vocabulary import Architecture, Condition, FinishReason, Modality, Support


@dataclass(frozen=True, slots=True)
class Capability:
    """Support for one condition; `reason` explains everything that is not native."""

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
    """A service that this one calls. Its digest is part of this one's digest.

    Attributes:
        random_weights: as declared by the service; the card of the service that calls it then says the same of itself.
    """

    role: str
    name: str
    digest: str
    random_weights: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """The description of a loaded service. Everything except the limits is part of its digest.

    Attributes:
        name: the service's name in reports.
        conditions: a condition that is not listed is unsupported.
        architecture: None for services that are not models under test, such as ASR.
        weights_revision: hub revision or content hash of the weights.
        weights_source: where weights that are identified by their content come from, such as `NAME@COMMIT`. If it is
            set, neither it nor `name` is part of the digest: the same weights have one digest under every name.
        settings: everything else that changes answers: decoding defaults, dtype, device type.
        libraries: distributions whose versions change answers; the server looks the versions up.
        parts: services that this one calls.
        languages: BCP-47 tags; empty: unknown.
        max_batch_size: requests in one call of `generate`.
        batch_wait_s: seconds that a batch waits for more requests before it starts, renewed by each that comes; for
            adapters whose batches take seconds. Not used with several workers.
        workers: threads that call `generate`; more than one only if the adapter is thread-safe, such as a proxy.
        max_concurrent: calls that a client should have in progress; 0: twice what the workers take at once.
        max_queue: requests that wait for a batch; further calls are refused with BUSY.
        input_sample_rate_hz: audio is resampled to this rate before `generate`.
        output_sample_rate_hz: rate of `speak`; 0 if the service never speaks.
        answer_seconds: seconds that one answer may take on this machine; 0: as long as the warm-up took.
        random_weights: the weights are random (`--tiny`), so answers say nothing about the model.
    """

    name: str
    conditions: Mapping[Condition, Capability]
    architecture: Architecture | None = None
    version: str = "1"
    weights_revision: str = ""
    weights_source: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    voices: tuple[Voice, ...] = ()
    languages: tuple[str, ...] = ()
    max_batch_size: int = 1
    batch_wait_s: float = 0.0
    workers: int = 1
    max_concurrent: int = 0
    max_queue: int = 64
    input_sample_rate_hz: int = 16_000
    output_sample_rate_hz: int = 0
    answer_seconds: float = 0.0
    random_weights: bool = False
    max_audio_seconds: float = 120.0
    max_image_pixels: int = 16_000_000
    max_text_chars: int = 20_000


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """Decoding settings of a request; None means the service's default."""

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
    """One decoded and checked request: the carrier first, then the typed instruction, if there is one."""

    parts: tuple[InputPart, ...]
    output: Modality
    system_prompt: str = ""
    decoding: DecodingOptions = DecodingOptions()
    voice: str | None = None
    words_per_minute: float | None = None
    language: str = ""

    @property
    def carrier(self) -> InputPart:
        """The part that contains the question."""
        return self.parts[0]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(part for part in self.parts if isinstance(part, str))

    @property
    def condition(self) -> Condition:
        """Input speech or image if a part is one, else text; a request never has both."""
        for part in self.parts:
            if isinstance(part, AudioClip):
                return Condition(Modality.SPEECH, self.output)
            if isinstance(part, Image.Image):
                return Condition(Modality.IMAGE, self.output)
        return Condition(Modality.TEXT, self.output)


@dataclass(frozen=True, slots=True)
class Completion:
    """How an answer ended; counts that the adapter does not know are 0."""

    finish_reason: FinishReason = FinishReason.STOP
    input_tokens: int = 0
    output_tokens: int = 0
    audio_tokens: int = 0
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    detected_language: str = ""


@runtime_checkable
class Turn(Protocol):
    """One request in a batch, and the stream for its answer. All methods may be called from any thread.

    No method raises for invalid output: invalid audio (NaN, not mono, a second sample rate, or speech although text was
    requested) ends this turn with MODEL_ERROR, and output after the end of a turn is dropped. So one bad answer never
    ends the other turns of its batch.
    """

    @property
    def request(self) -> Request: ...

    @property
    def cancelled(self) -> bool:
        """True once the last caller has gone away or its deadline has passed; it stays True.

        Check it between generation steps, and return if it is set: the server ends the turn.
        """

    def write(self, text: str) -> None:
        """Sends a chunk of the answer's own text."""

    def reason(self, text: str) -> None:
        """Sends a chunk of reasoning, which is not part of the answer."""

    def speak(self, samples: Samples, sample_rate: int) -> None:
        """Sends a chunk of audio: mono float32 in -1 to 1, shape (n,), at `sample_rate` Hz.

        A model that had nothing to say sends empty samples (n = 0), which is an answer without sound.
        """

    def speak_pcm16(self, data: bytes, sample_rate: int) -> None:
        """Sends a chunk of signed 16-bit little-endian mono audio without converting it."""

    def complete(self, completion: Completion) -> None:
        """Ends the answer. If `generate` returns without it, the server completes the turn with a default.

        A speech answer for which nothing was spoken, not even empty samples, ends with MODEL_ERROR instead, unless it
        was refused: a model that only writes would otherwise be measured as one that says nothing.
        """

    def fail(self, error: Exception) -> None:
        """Ends this turn with an error; the other turns of the batch are not affected.

        An exception that is not a ContractError is logged with its traceback.
        """


class TinyError(OmnigapError, ValueError):
    """A service has no tiny checkpoint for its options."""


class Adapter(ABC):
    """A model behind the Generate server. One thread calls all its methods, unless its card asks for more `workers`.

    Attributes:
        without_tiny: why it has no `build_tiny`, for the error message.
        on_restart: set by the server, for `request_restart`.
    """

    without_tiny: ClassVar[str] = "its adapter loads no weights, or has no build_tiny"
    on_restart: Callable[[str], None] | None = None

    def __init__(self, options: Mapping[str, object]) -> None:
        """Takes the options from `--config` or the fleet; unknown keys must be refused by name (see `read_options`)."""
        self.options = options

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        """Writes a tiny random checkpoint of the true architecture, and returns the options that serve it (`--tiny`).

        It has the layout of a real checkpoint, so that `load` reads it with the code that reads real ones. The same
        options give the same weights at every start.

        Args:
            options: as given; a name of a checkpoint in them chooses the architecture and is replaced.
            folder: an empty folder, which exists as long as the service.

        Raises:
            TinyError: the service loads no weights in its own process, or has no tiny checkpoint for the one named.
        """
        raise TinyError(f"there is no --tiny: {cls.without_tiny}")

    @abstractmethod
    def load(self) -> Card:
        """Loads the weights and returns the card. Called once, in the thread that will own the device."""

    @abstractmethod
    def generate(self, batch: Sequence[Turn]) -> None:
        """Answers every turn of the batch with `write`, `speak` and `complete`; an exception fails the open turns."""

    def warm_up(self) -> Request | None:
        """A request that the service must answer before it is SERVING; None: the server's default."""
        return None

    def close(self) -> None:
        """Frees what `load` acquired, such as child processes and channels."""
        return

    @final
    def request_restart(self, why: str) -> None:
        """Ends the service because its card is no longer correct, such as when a service that it calls was replaced.

        Health becomes NOT_SERVING, `outdated` of Describe is `why`, new calls are refused with DRAINING, and running
        ones are finished. Then `omnigap-serve` ends with exit status 75, so that Compose or the embedded fleet starts
        it again. May be called from any thread, from the beginning of `load`; only the first call counts.
        """
        if self.on_restart is not None:
            self.on_restart(why)
