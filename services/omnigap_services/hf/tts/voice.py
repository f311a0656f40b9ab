"""What a user may set about the `hf-tts` service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason
from omnigap_services.torch_utils.checkpoint import CheckpointOptions, Weights, load_whole
from omnigap_services.torch_utils.device import Dtype, Placement

SERVICE = "hf-tts"


class TtsOptions(CheckpointOptions):
    """Options of the `hf-tts` service, beside those of `CheckpointOptions`.

    Attributes:
        model: a checkpoint's folder, or its hub name.
        revision: for a hub name, the commit in full.
        vocoder, vocoder_revision: likewise, of the model that turns spectrograms into sound (SpeechT5).
        name: in reports; empty: the model's.
        languages: it speaks, as BCP-47 tags; the first is the default. Items in another one are refused.
        voices: by name, what each is to the model: a speaker's number (VITS, CSM, SeamlessM4T), an embedding's file
            (SpeechT5: .npy, .pt, .bin), a preset (Bark), a speaker's mark (Dia: S1).
        voice: the one that speaks where a request names none; empty: the first.
        seed: of the noise, where a request brings none.
        speed: of speaking, 1 is the voice's own (VITS).
        words_per_minute: what the voice speaks at speed 1; 0: not known, and requests for a rate are refused.
        spell_out: digits and signs are written as words; `auto`: for voices that read letters alone.
        max_new_tokens: of the voices that write sound token by token; 0: the checkpoint's own limit.
        generate: further arguments of such a model's generate, as { guidance_scale = 3.0 }; in the digest.
        dtype: as in DeviceOptions; speech is made in float32 where it is not said otherwise.
        max_text_chars: of one question.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    vocoder: str = ""
    vocoder_revision: str = ""
    name: str = ""
    languages: tuple[str, ...] = Field(default=("en",), min_length=1)
    voices: dict[str, str] = Field(default_factory=dict)
    voice: str = ""
    seed: int = Field(default=0, ge=0)
    speed: float = Field(default=1.0, ge=0.2, le=5.0)
    words_per_minute: float = Field(default=0.0, ge=0, le=1_000)
    spell_out: Literal["auto", "yes", "no"] = "auto"
    max_new_tokens: int = Field(default=0, ge=0, le=131_072)
    generate: dict[str, Any] = Field(default_factory=dict)
    dtype: Dtype = "float32"
    max_queue: int = Field(default=64, ge=0)
    max_text_chars: int = Field(default=2_000, ge=1, le=100_000)


# What a family of voices offers to the service: its rate, its speakers, and one line read aloud.


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be said.

    Attributes:
        voice: one of the family's `voices`; empty where it knows none.
        speed: 1 is the voice's own.
    """

    text: str
    voice: str
    language: str
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Waveform:
    """What was said.

    Attributes:
        samples: mono, shape (n,), at the voice's rate.
        cut: the voice had not ended when it reached its limit.
    """

    samples: Samples
    cut: bool = False


class VoiceModel(ABC):
    """A loaded voice, for one line at a time.

    The noise of these models is drawn for a whole padded batch: a line would sound otherwise beside other lines.

    Attributes:
        sample_rate: Hz.
        voices: names of its speakers; empty: it has one, or a new one for every seed.
        reads_letters: it knows an alphabet and no digits.
        changes_speed: `Line.speed` may differ from 1.
        takes: the options that it has a use for, of those that not every family has.
        trial: a text that it must say before the service opens.
        model: the torch module, for the hooks that stop it.
        libraries: distributions of its own that change its sound, beside those of every voice.
        facts: what else changes its sound, for the digest.
    """

    sample_rate: int
    voices: tuple[str, ...] = ()
    reads_letters: bool = False
    changes_speed: bool = False
    takes: frozenset[str] = frozenset()
    trial: str = "Hello."
    model: Any
    libraries: tuple[str, ...] = ()
    facts: dict[str, str]

    @staticmethod
    def loaded(kind: Any, weights: Weights, options: TtsOptions, placement: Placement, option: str = "model") -> Any:
        """The model of a transformers class, ready to speak; raises OptionsError where the checkpoint lacks weights."""
        allowed = options.allow_missing_weights
        model = load_whole(kind.from_pretrained, weights, SERVICE, option, allowed, dtype=placement.torch_dtype)
        return model.eval().to(placement.device)

    @abstractmethod
    def speak(self, line: Utterance) -> Waveform:
        """Says one line, with the noise of torch's global generator.

        Raises:
            ContractError: for a text that this voice cannot say.
        """


def mono(audio: Any) -> Samples:
    """Tensor or array of any shape with one clip in it, as float32 samples of shape (n,).

    Raises:
        ContractError: MODEL_ERROR for more than one channel.
    """
    if hasattr(audio, "detach"):
        audio = audio.detach().float().cpu().numpy()
    found = np.squeeze(np.asarray(audio, dtype=np.float32))
    if found.ndim > 1:
        raise ContractError(Reason.MODEL_ERROR, f"the voice made audio of shape {found.shape}, which is not mono")
    return np.atleast_1d(found)
