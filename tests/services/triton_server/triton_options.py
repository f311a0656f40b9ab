"""Options of the tests' models, with all tensors mapped."""

from __future__ import annotations

from typing import Any

OMNI: dict[str, Any] = {
    "model": "omni",
    "revision": "abc",
    "inputs": {
        "text": "question",
        "instruction": "typed",
        "system_prompt": "system",
        "audio": "speech",
        "sample_rate": "speech_rate",
        "audio_length": "speech_samples",
        "image": "picture",
        "language": "language",
        "voice": "speaker",
        "output": "speak",
        "max_tokens": "max_tokens",
        "temperature": "temperature",
        "seed": "seed",
    },
    "defaults": {"temperature": 0.0},
    "outputs": {
        "text": "answer",
        "audio": "wave",
        "sample_rate": "wave_rate",
        "output_tokens": "tokens",
        "finish_reason": "end",
    },
    "diagnostics": {"confidence": "confidence", "endless": "endless"},
}

STREAM: dict[str, Any] = {
    "model": "stream",
    "inputs": {"text": "prompt", "audio": "pcm", "output": "mode"},
    "outputs": {
        "text": "text",
        "reasoning": "thought",
        "audio": "pcm_out",
        "sample_rate": "rate",
        "finish_reason": "end",
        "output_tokens": "count",
    },
    "output_sample_rate_hz": 16_000,
}

FILES: dict[str, Any] = {
    "model": "files",
    "inputs": {"text": "text", "audio": "clip", "image": "image"},
    "outputs": {"text": "said", "audio": "clip_out"},
    "output_sample_rate_hz": 16_000,
}
