"""From speech tokens to audio: SoundStorm adds the acoustic levels, and the codec makes the wave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio, resample
from omnigap.media.audio import Samples
from omnigap_services.anygpt.soundstorm import SoundStorm
from omnigap_services.anygpt.speech_tokenizer import SpeechTokenizer
from omnigap_services.torch_utils.raw_checkpoint import wrong

# A prompt takes part in every pass of SoundStorm; the authors use a few seconds.
_VOICE_LIMITS = AudioLimits(max_seconds=30)
_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}


class Speaker:
    """Makes the wave of one answer at a time.

    Args:
        steps: passes of SoundStorm over the first acoustic level.
        voice: a clip whose voice is imitated, at any rate; None: the seed chooses the voice.

    Attributes:
        sample_rate: Hz.
    """

    def __init__(
        self, speech_tokenizer: SpeechTokenizer, soundstorm: SoundStorm, steps: int, voice: AudioClip | None
    ) -> None:
        self.sample_rate = speech_tokenizer.sample_rate
        self._speech_tokenizer = speech_tokenizer
        self._soundstorm = soundstorm
        self._steps = steps
        self._device = next(soundstorm.parameters()).device
        self._prompt: torch.Tensor | None = None
        if voice is not None:
            wave = torch.from_numpy(resample(voice, self.sample_rate).samples)[None, None].to(self._device)
            with torch.inference_mode():
                self._prompt = speech_tokenizer.encode(wave)[:, 0]

    def wave(self, codes: Sequence[int], seed: int) -> Samples:
        """The audio of semantic codes: float32, shape (codes * hop length,), -1 to 1; empty without codes."""
        if not codes:
            return np.zeros(0, dtype=np.float32)
        semantic = torch.tensor([codes], device=self._device)
        levels = self._soundstorm.generate(semantic, seed, self._steps, self._prompt)
        wave: Samples = self._speech_tokenizer.decode(levels)[0, 0].clamp(-1, 1).float().cpu().numpy()
        return wave


def read_voice(service: str, option: str, path: Path) -> AudioClip:
    """The clip of a voice.

    Raises:
        OptionsError: the file does not exist, or is no audio of up to 30 s.
    """
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        raise wrong(service, option, f"is {str(path)!r}: name a file that ends in {', '.join(_TYPES)}")
    try:
        return decode_audio(path.read_bytes(), kind, limits=_VOICE_LIMITS)
    except OSError as error:
        raise wrong(service, option, f"is {str(path)!r}, which can't be read ({error.strerror})") from error
    except ContractError as error:
        raise wrong(service, option, f"is {str(path)!r}: {error.message}") from error
