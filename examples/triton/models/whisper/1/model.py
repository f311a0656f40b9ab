"""faster-whisper behind Triton's Python backend: deterministic, and batched over the requests that Triton passes.

Each request brings one clip, float32 mono at 16 kHz. Temperature is always 0; there is no prompt, no voice activity
filter, and no threshold that drops text: the statistics of a transcript show problems instead.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np
import triton_python_backend_utils as pb_utils
from faster_whisper import BatchedInferencePipeline, WhisperModel

RATE = 16_000
SHORTEST = RATE // 10
SILENCE_PEAK = 1e-4

DECODING = {
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "without_timestamps": True,
    "vad_filter": False,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
    "max_new_tokens": 224,
}


@dataclass
class Transcript:
    """A transcript and its statistics; the defaults are those of digital silence."""

    text: str = ""
    tokens: int = 0
    avg_logprob: float = 0.0
    no_speech_prob: float = 1.0
    compression_ratio: float = 0.0


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        self.beam_size = int(parameters["beam_size"])
        on_gpu = args["model_instance_kind"] == "GPU"
        self.model = WhisperModel(
            os.environ.get("WHISPER_MODEL", parameters["model"]),
            device="cuda" if on_gpu else "cpu",
            device_index=int(args["model_instance_device_id"]) if on_gpu else 0,
            compute_type=parameters["compute_type"],
        )
        self.pipeline = BatchedInferencePipeline(model=self.model)
        # In samples: 30 s in OpenAI's checkpoints.
        self.window = int(self.model.feature_extractor.chunk_length * RATE)

    def execute(self, requests: list) -> list:
        answers: list = [None] * len(requests)
        groups: dict[str, list[tuple[int, np.ndarray]]] = {}
        for number, request in enumerate(requests):
            if request.is_cancelled():
                error = pb_utils.TritonError("the caller disconnected", pb_utils.TritonError.CANCELLED)
                answers[number] = pb_utils.InferenceResponse(error=error)
                continue
            try:
                clip, language = self._read(request)
            except ValueError as error:
                answers[number] = pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
            else:
                groups.setdefault(language, []).append((number, clip))
        for language, members in groups.items():
            transcripts = self._transcribe([clip for _, clip in members], language)
            for (number, clip), one in zip(members, transcripts, strict=True):
                answers[number] = _answer(one, language, len(clip) / RATE)
        return answers

    def _read(self, request) -> tuple[np.ndarray, str]:
        clip = pb_utils.get_input_tensor_by_name(request, "audio").as_numpy().reshape(-1)
        language = pb_utils.get_input_tensor_by_name(request, "language").as_numpy().reshape(-1)[0].decode()
        code = language.split("-")[0].lower()
        if code not in self.model.supported_languages:
            known = ", ".join(self.model.supported_languages)
            raise ValueError(f"language {language!r} is not known to this Whisper: one of {known}")
        if not clip.size or not np.isfinite(clip).all():
            raise ValueError("the clip is empty or has NaN or infinite samples")
        return clip, code

    def _transcribe(self, clips: list[np.ndarray], language: str) -> list[Transcript]:
        """Clips of up to one window as a batch, one window each; longer ones one by one, cut by the package."""
        window = self.window
        transcripts = [Transcript() for _ in clips]
        loud = [number for number, clip in enumerate(clips) if float(np.abs(clip).max()) > SILENCE_PEAK]
        short = [number for number in loud if len(clips[number]) <= window]
        options = {"language": language, "beam_size": self.beam_size, **DECODING}
        if short:
            # One row of audio with one clip per window: the pipeline selects clips by their times.
            row = np.concatenate([np.pad(clips[number], (0, window - len(clips[number]))) for number in short])
            lengths = [max(len(clips[number]), SHORTEST) for number in short]
            # It rounds times down to samples: adding half a sample keeps the last one.
            times = [
                {"start": place * window / RATE, "end": (place * window + length + 0.5) / RATE}
                for place, length in enumerate(lengths)
            ]
            segments, _ = self.pipeline.transcribe(row, clip_timestamps=times, batch_size=len(short), **options)
            found: dict[int, list] = {}
            for segment in segments:
                found.setdefault(round(segment.start * RATE) // window, []).append(segment)
            for place, number in enumerate(short):
                transcripts[number] = _merged(found.get(place, []))
        for number in set(loud) - set(short):
            segments, _ = self.model.transcribe(clips[number], **options)
            transcripts[number] = _merged(list(segments))
        return transcripts


def _merged(segments: list) -> Transcript:
    """Segments as one; log probabilities are averaged by tokens, the end mark counted."""
    if not segments:
        return Transcript()
    weights = [len(segment.tokens) + 1 for segment in segments]
    return Transcript(
        text=" ".join(text for segment in segments if (text := segment.text.strip())),
        tokens=sum(len(segment.tokens) for segment in segments),
        avg_logprob=sum(s.avg_logprob * weight for s, weight in zip(segments, weights, strict=True)) / sum(weights),
        no_speech_prob=segments[0].no_speech_prob,
        compression_ratio=max(segment.compression_ratio for segment in segments),
    )


def _answer(transcript: Transcript, language: str, seconds: float):
    texts = {"text": transcript.text, "spoken_language": language}
    figures = {
        "avg_logprob": transcript.avg_logprob,
        "no_speech_prob": transcript.no_speech_prob,
        "compression_ratio": transcript.compression_ratio,
        "duration_s": seconds,
    }
    tensors = [pb_utils.Tensor("tokens", np.array([[transcript.tokens]], np.int32))]
    tensors += [pb_utils.Tensor(name, np.array([[text.encode()]], object)) for name, text in texts.items()]
    tensors += [pb_utils.Tensor(name, np.array([[value]], np.float32)) for name, value in figures.items()]
    return pb_utils.InferenceResponse(tensors)
