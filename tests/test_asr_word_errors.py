"""benchmarks/asr_word_errors.py measures the voices that the services speak with."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from omnigap.media import AudioClip, resample
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import PiperOptions
from omnigap_services.piper.voice import LoadedVoice
from tests.helpers.tiny_piper import write_voice

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TEXTS = ["The answer is Paris.", "Option B. Or 12?"]


def test_a_piper_voice_speaks_as_its_service_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("asr_word_errors")
    path = str(write_voice(tmp_path, rate=22_050))
    options = PiperOptions(voices=(path,))
    voice = LoadedVoice(find_voices(options)[0], options)
    clips = script.spoken(script._PIPER, path, TEXTS)
    for text, clip in zip(TEXTS, clips, strict=True):
        samples = np.concatenate(list(voice.speak(text, None, 1.0, options.seed)))
        assert np.array_equal(clip, resample(AudioClip(samples, voice.sample_rate), 16_000).samples)
