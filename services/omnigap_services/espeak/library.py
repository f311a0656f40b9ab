"""ctypes binding to libespeak-ng from the wheel `espeakng-loader`.

libespeak-ng (GPL-3.0-or-later) keeps global state: one voice, one rate, one callback per process. Nothing here is
thread-safe; a caller with threads needs a lock or, better, a process for the library.
"""

from __future__ import annotations

import _ctypes
import ctypes
from functools import cache
from typing import Any

import espeakng_loader
import numpy as np
import numpy.typing as npt
import soxr

from omnigap.errors import OmnigapError

__all__ = [
    "DEFAULT_PITCH",
    "DEFAULT_RATE_WPM",
    "DEFAULT_VOICE",
    "RATES_WPM",
    "SAMPLE_RATE",
    "SHIPPED_VOICES",
    "EspeakError",
    "library_version",
    "native_sample_rate",
    "restart",
    "synthesise",
    "synthesise_native",
]

SAMPLE_RATE = 16_000
"""Hz of what `synthesise` returns."""

SHIPPED_VOICES = ("en-us", "en-us+f3")
"""The voices that the shipped micro Whisper was trained on: one accent, a male and a female variant."""

DEFAULT_VOICE = "en-us"
DEFAULT_RATE_WPM = 175
DEFAULT_PITCH = 50

RATES_WPM = (80, 450)
"""The slowest and the fastest rate."""

_PITCHES = (0, 100)

# Constants of speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
# Without this flag the library calls exit() if its data folder is missing.
_INITIALIZE_DONT_EXIT = 0x8000
_PARAMETER_RATE, _PARAMETER_PITCH = 1, 3
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
# Length of the audio buffers that the callback receives.
_CHUNK_MS = 1000

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakError(OmnigapError, RuntimeError):
    """The library could not start, or refused a voice or a text."""


_chunks: list[npt.NDArray[np.int16]] = []


def _collect(samples: Any, count: int, events: int | None) -> int:
    """Copies one buffer of samples: the library reuses it after the call. 0 makes the library continue."""
    if samples and count > 0:
        _chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
    return 0


_callback = _CALLBACK(_collect)  # a module variable keeps it alive: the library has only its address


@cache
def _load() -> tuple[ctypes.CDLL, int]:
    """The initialised library and its native sample rate in Hz."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    data = espeakng_loader.get_data_path()
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _CHUNK_MS, data.encode(), _INITIALIZE_DONT_EXIT)
    if rate <= 0:
        raise EspeakError(f"libespeak-ng did not start with the data folder {data!r}; reinstall espeakng-loader")
    library.espeak_SetSynthCallback(_callback)
    return library, rate


def restart() -> None:
    """Unloads and reloads the library, so that the next utterance is the same as the first one of a new process.

    The pitch flutter continues from utterance to utterance in a static variable that no call resets, and breathy voices
    use noise that is seeded with the time at the start. Without a restart, the same text is a few samples longer or
    shorter each time. Takes about 1 ms.
    """
    if _load.cache_info().currsize:
        library, _ = _load()
        _load.cache_clear()
        library.espeak_Terminate()
        # ctypes has no public call for it.
        _ctypes.dlclose(library._handle)
    library, _ = _load()
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))


def library_version() -> str:
    """The version of libespeak-ng, such as '1.52.0'."""
    library, _ = _load()
    return str(library.espeak_Info(None).decode())


def native_sample_rate() -> int:
    """Hz of what `synthesise_native` returns (22,050 with the stock voices)."""
    return _load()[1]


def synthesise_native(
    text: str, voice: str = DEFAULT_VOICE, rate_wpm: int = DEFAULT_RATE_WPM, pitch: int = DEFAULT_PITCH
) -> npt.NDArray[np.int16]:
    """Speaks a text: samples of shape (n,) at `native_sample_rate()`; n is 0 if there is nothing to speak.

    Each call sets voice, rate and pitch, and the same arguments give the same samples after a `restart`.

    Raises:
        EspeakError: for an unknown voice, or a rate or pitch outside the range.
    """
    library, _ = _load()
    _select(library, voice, rate_wpm, pitch)
    # A zero byte would end the C string.
    encoded = text.replace("\0", " ").encode()
    _chunks.clear()
    status = library.espeak_Synth(encoded, len(encoded) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None)
    library.espeak_Synchronize()
    if status != 0:
        raise EspeakError(f"libespeak-ng refused the text {text[:80]!r} with status {status}")
    samples = np.concatenate(_chunks) if _chunks else np.zeros(0, np.int16)
    _chunks.clear()
    return samples


def synthesise(
    text: str, voice: str = DEFAULT_VOICE, rate_wpm: int = DEFAULT_RATE_WPM, pitch: int = DEFAULT_PITCH
) -> npt.NDArray[np.float32]:
    """Speaks a text: mono samples of shape (n,) in -1 to 1 at `SAMPLE_RATE`; errors as in `synthesise_native`."""
    native = synthesise_native(text, voice, rate_wpm, pitch).astype(np.float32) / 32768.0
    if not native.size:
        return native
    resampled = soxr.resample(native, native_sample_rate(), SAMPLE_RATE, quality="HQ")
    # The resampler may overshoot full scale at steep edges.
    clipped: npt.NDArray[np.float32] = np.clip(resampled, -1.0, 1.0).astype(np.float32)
    return clipped


def _select(library: ctypes.CDLL, voice: str, rate_wpm: int, pitch: int) -> None:
    for name, value, (low, high) in (("rate_wpm", rate_wpm, RATES_WPM), ("pitch", pitch, _PITCHES)):
        if not low <= value <= high:
            raise EspeakError(f"{name} {value} is outside {low}..{high}")
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise EspeakError(f"libespeak-ng has no voice {voice!r}")
    library.espeak_SetParameter(_PARAMETER_RATE, rate_wpm, 0)
    library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
