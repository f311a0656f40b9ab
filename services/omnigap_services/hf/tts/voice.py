"""Options of the `hf-tts` service, and the interface that every family of TTS models implements."""

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
    """Options of the `hf-tts` service; extends `CheckpointOptions`.

    Attributes:
        model: a checkpoint's folder, or its hub name.
        revision: the full commit of a hub name.
        vocoder, vocoder_revision: the same for the model that turns spectrograms into audio (SpeechT5).
        name: in reports; empty: the model's.
        languages: languages it speaks, as BCP-47 tags; the first is the default. Items in another one are refused.
        voices: names of speakers, and what each is to the model: a speaker number (VITS, CSM, SeamlessM4T), an
            embedding file (SpeechT5: .npy, .pt, .bin), a preset (Bark), a speaker mark (Dia: S1).
        voice: the speaker if a request names none; empty: the first.
        seed: of the noise, if a request brings none.
        speed: speaking rate relative to the voice's own (VITS).
        words_per_minute: the voice's rate at speed 1; 0: unknown, and requests for a rate are refused.
        spell_out: write digits and signs as words; `auto`: for voices that read letters only.
        max_new_tokens: limit of models that generate audio tokens; 0: the checkpoint's own limit.
        generate: further arguments of such a model's `generate`, as { guidance_scale = 3.0 }; part of the digest.
        dtype: as in DeviceOptions, but float32 by default on every device.
        max_queue: requests that may wait.
        max_text_chars: longest text of one request.
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


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text to synthesise.

    Attributes:
        voice: one of the model's `voices`; empty if it has none.
        speed: relative to the voice's own rate.
    """

    text: str
    voice: str
    language: str
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Waveform:
    """Synthesised audio.

    Attributes:
        samples: mono, float32, shape (n,), at the model's sample rate.
        truncated: the model reached its limit before the end of the text.
    """

    samples: Samples
    truncated: bool = False


class VoiceModel(ABC):
    """A loaded TTS model, for one utterance at a time.

    There is no batch: these models draw their noise for a whole padded batch, so an utterance would sound different
    next to other utterances.

    Attributes:
        sample_rate: Hz.
        voices: names of its speakers; empty: it has one, or another one for every seed.
        letters_only: it knows an alphabet and no digits.
        supports_speed: `Utterance.speed` may differ from 1.
        used_options: the family-specific options that it uses; others must keep their defaults.
        warm_up_text: a text that it must synthesise before the service is ready.
        model: the torch module, for the hook that cancels it.
        libraries: further distributions that change its audio.
        settings: further settings that change its audio, for the digest.
    """

    sample_rate: int
    voices: tuple[str, ...] = ()
    letters_only: bool = False
    supports_speed: bool = False
    used_options: frozenset[str] = frozenset()
    warm_up_text: str = "Hello."
    model: Any
    libraries: tuple[str, ...] = ()
    settings: dict[str, str]

    @staticmethod
    def load_model(
        model_class: Any, weights: Weights, options: TtsOptions, placement: Placement, option: str = "model"
    ) -> Any:
        """A model of a transformers class in evaluation mode, on its device.

        Raises:
            OptionsError: the checkpoint lacks weights.
        """
        allowed = options.allow_missing_weights
        # Without the placement's load arguments: `device_map` is refused, and `attention` is left to the library.
        model = load_whole(model_class.from_pretrained, weights, SERVICE, option, allowed, dtype=placement.torch_dtype)
        return model.eval().to(placement.device)

    @abstractmethod
    def synthesise(self, utterance: Utterance) -> Waveform:
        """Synthesises one utterance, with noise from torch's global generator, which the caller seeds.

        Raises:
            ContractError: the model cannot say this text.
        """


def mono(audio: Any) -> Samples:
    """One clip as float32 samples of shape (n,).

    Args:
        audio: tensor or array; axes of size 1 are removed.

    Raises:
        ContractError: MODEL_ERROR for more than one channel.
    """
    if hasattr(audio, "detach"):
        # NumPy has no bfloat16.
        audio = audio.detach().float().cpu().numpy()
    found = np.squeeze(np.asarray(audio, dtype=np.float32))
    if found.ndim > 1:
        raise ContractError(Reason.MODEL_ERROR, f"the voice made audio of shape {found.shape}, which is not mono")
    return np.atleast_1d(found)
