"""What a family of voices offers to the service: its rate, its speakers, and one line read aloud."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.options import SERVICE, TtsOptions
from omnigap_services.torch_utils.checkpoint import Weights, load_whole
from omnigap_services.torch_utils.device import Placement


@dataclass(frozen=True, slots=True)
class Line:
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
class Sound:
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
    def speak(self, line: Line) -> Sound:
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
