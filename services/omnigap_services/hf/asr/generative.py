"""ASR models with an autoregressive decoder: Whisper, encoder-decoders (Moonshine, Canary), speech language models."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationMixin

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.recogniser import SAMPLE_RATE, HfAsrOptions, Recogniser, Segment
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

# Overrides the checkpoint's generation config: all scorers decode alike, without sampling and without penalties.
_DECODING: dict[str, Any] = {
    "do_sample": False,
    "num_return_sequences": 1,
    "return_dict_in_generate": True,
    "output_scores": True,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "length_penalty": 1.0,
}

# The no-speech token; its name differs between versions of Whisper.
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")

# Families whose padding was verified to be masked everywhere. Moonshine, for example, normalises over time, and the
# zeros behind a clip take part in that.
_MASKED = ("canary", "qwen3_asr")

# More tokens per second than this and Moonshine is repeating itself, according to its authors.
_MOONSHINE_TOKENS_PER_S = 6.5


@dataclass(frozen=True, slots=True)
class DecodedRow:
    """One row of a decoded batch.

    Attributes:
        ids: the ids before the end mark.
        logprob: summed over `scored` tokens: the ids and, if there is one, the end mark.
        truncated: there is no end mark.
    """

    ids: list[int]
    logprob: float
    scored: int
    truncated: bool


def decode(model: Any, inputs: Mapping[str, Any], max_new_tokens: int, beam_size: int) -> list[DecodedRow]:
    """Decodes a batch greedily or with beam search; never samples."""
    with torch.inference_mode():
        # The mixin's `generate`, not the class's own: Whisper's falls back to higher temperatures, which sample.
        output = GenerationMixin.generate(
            model, **inputs, **_DECODING, max_new_tokens=max_new_tokens, num_beams=beam_size
        )
        scores = model.compute_transition_scores(
            output.sequences, output.scores, getattr(output, "beam_indices", None) if beam_size > 1 else None, True
        )
    ends = _end_ids(model)
    rows = []
    # Scores cover the generated tokens only; the sequences may begin with a prompt.
    width = scores.shape[1]
    generated = output.sequences[:, output.sequences.shape[1] - width :]
    for ids, row in zip(generated.tolist(), scores.tolist(), strict=True):
        length = next((place for place, token in enumerate(ids) if token in ends), width)
        scored = min(width, length + 1)
        # Forced and suppressed tokens score minus infinity, and would make the whole sum so.
        logprob = sum(value for value in row[:scored] if value > -1e4)
        rows.append(DecodedRow(ids[:length], float(logprob), scored, truncated=length == width))
    return rows


def _end_ids(model: Any) -> frozenset[int]:
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config(decoder=True).eos_token_id
    if found is None:
        return frozenset()
    return frozenset(found if isinstance(found, list | tuple) else [int(found)])


class WhisperRecogniser(Recogniser):
    """Whisper and its distillations: language and task forced, no timestamps, every clip padded to the model's window.

    The decoder prompt is built here rather than by the class's `generate`, which also adds fallbacks.
    """

    has_beam_search = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement) -> None:
        super().__init__(options, placement)
        from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

        self.model = self.load_model(WhisperForConditionalGeneration, weights)
        self._tokenizer = WhisperTokenizer.from_pretrained(weights.folder)
        self._features = WhisperFeatureExtractor.from_pretrained(weights.folder)
        self.max_seconds = float(self._features.chunk_length)
        config = self.model.generation_config
        languages: dict[str, int] = getattr(config, "lang_to_id", None) or {}
        self._language_ids = {name.strip("<|>"): number for name, number in languages.items()}
        # English-only checkpoints have no language tokens, or list them and say is_multilingual = False.
        self.forces_language = bool(self._language_ids) and getattr(config, "is_multilingual", True)
        self.languages = tuple(self._language_ids) if self.forces_language else ("en",)
        self._no_speech = next((self._id(name) for name in _NO_SPEECH if self._id(name) is not None), None)

    def transcribe(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        # The extractor pads every clip to the full window, as in training.
        features = self._features(
            list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt", return_attention_mask=False
        )
        inputs = self.to_device(features)
        with torch.inference_mode():
            # Encoded once: the no-speech probability and the transcript share it.
            encoded = self.model.get_encoder()(inputs["input_features"])
        no_speech = self._no_speech_probs(encoded, len(clips))
        prompt = torch.tensor([self._prompt(language)] * len(clips), device=self.model.device)
        # The decoder's positions hold the prompt as well.
        limit = int(self.model.config.max_target_positions) - prompt.shape[1]
        # Every frame of the window is attended to, as in training; an explicit mask keeps the library from inferring
        # one from padding ids.
        everything = torch.ones(encoded[0].shape[:2], dtype=torch.long, device=self.model.device)
        rows = decode(
            self.model,
            {"encoder_outputs": encoded, "decoder_input_ids": prompt, "attention_mask": everything},
            min(self.options.max_new_tokens, limit),
            beam_size,
        )
        return [
            Segment(self._text(row.ids), row.logprob, len(row.ids), row.scored, probability, row.truncated)
            for row, probability in zip(rows, no_speech, strict=True)
        ]

    def _prompt(self, language: str) -> list[int]:
        """Start token, then language and task where the checkpoint has them, then no timestamps."""
        config = self.model.generation_config
        found = [int(config.decoder_start_token_id or self.model.config.decoder_start_token_id)]
        if self.forces_language:
            tasks = getattr(config, "task_to_id", None) or {}
            found += [self._language_ids[language], *([tasks["transcribe"]] if "transcribe" in tasks else [])]
        no_timestamps = getattr(config, "no_timestamps_token_id", None) or self._id("<|notimestamps|>")
        return [*found, *([int(no_timestamps)] if no_timestamps is not None else [])]

    def _no_speech_probs(self, encoded: Any, rows: int) -> list[float | None]:
        """Probability of the no-speech token directly after the start token, as in OpenAI's own decoding."""
        if self._no_speech is None:
            return [None] * rows
        start = torch.full((rows, 1), self._prompt(self.languages[0])[0], device=self.model.device)
        with torch.inference_mode():
            logits = self.model(encoder_outputs=encoded, decoder_input_ids=start).logits[:, 0].float()
        return [float(value) for value in logits.softmax(dim=-1)[:, self._no_speech]]

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _id(self, token: str) -> int | None:
        found = self._tokenizer.get_vocab().get(token)
        return None if found is None else int(found)


class GenerativeRecogniser(Recogniser):
    """Any other speech-to-text model of transformers with `generate`.

    If the processor has `apply_transcription_request`, it writes the prompt and forces the language; otherwise the
    model transcribes the language that it was trained on.
    """

    has_beam_search = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement, auto_class: Any) -> None:
        super().__init__(options, placement)
        from transformers import AutoProcessor

        self.model = self.load_model(auto_class, weights)
        self._processor = AutoProcessor.from_pretrained(weights.folder)
        tokenizer = self._processor.tokenizer
        # Decoder-only models continue each row at its right end, so padding has to be on the left.
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._has_request = hasattr(self._processor, "apply_transcription_request")
        self.languages = _languages_of(self._processor) if self._has_request else ()
        self.forces_language = bool(self.languages)
        self._type = str(self.model.config.model_type)
        self.one_at_a_time = self._type not in _MASKED

    def transcribe(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        limit = self.options.max_new_tokens
        if self._type == "moonshine":
            limit = min(limit, max(1, int(seconds * _MOONSHINE_TOKENS_PER_S)))
        inputs = self.to_device(self._inputs(clips, language))
        return [self._segment(row) for row in decode(self.model, inputs, limit, beam_size)]

    def _inputs(self, clips: Sequence[Samples], language: str) -> Any:
        if not self._has_request:
            return self._processor(list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt", padding=True)
        if not self.forces_language:
            return self._processor.apply_transcription_request(list(clips))
        # Canary also translates, so its processor distinguishes the source from the target language.
        name = "source_language" if self._type == "canary" else "language"
        return self._processor.apply_transcription_request(list(clips), **{name: language})

    def _segment(self, row: DecodedRow) -> Segment:
        text = self._processor.tokenizer.decode(row.ids, skip_special_tokens=True)
        # If the language is not forced, Qwen3-ASR writes it before the text, separated by this mark.
        text = str(text).rpartition("<asr_text>")[2].strip()
        return Segment(text, row.logprob, len(row.ids), row.scored, truncated=row.truncated)


def _languages_of(processor: Any) -> tuple[str, ...]:
    """The language codes in the processor's module; empty if it lists none."""
    module = importlib.import_module(type(processor).__module__)
    return tuple(getattr(module, "LANGUAGE_CODE_TO_NAME", ()))
