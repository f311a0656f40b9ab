"""Runs a decoder and gives, for each clip, the ids that it wrote and how sure it was of them."""

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

_PLAIN: dict[str, Any] = {
    "do_sample": False,
    "num_return_sequences": 1,
    "return_dict_in_generate": True,
    "output_scores": True,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "length_penalty": 1.0,
}


@dataclass(frozen=True, slots=True)
class DecodedRow:
    """One row: the ids before the end mark.

    Attributes:
        logprob: summed over the ids and the end mark.
        cut: there is no end mark.
    """

    ids: list[int]
    logprob: float
    counted: int
    cut: bool


def decode(model: Any, inputs: Mapping[str, Any], max_new_tokens: int, beam_size: int) -> list[DecodedRow]:
    """The transcripts of a batch, greedy or by beam search, never sampled.

    transformers' own `generate` of all models is taken, also where a class has one of its own with fallbacks to higher
    temperatures, which sample.
    """
    with torch.inference_mode():
        made = GenerationMixin.generate(model, **inputs, **_PLAIN, max_new_tokens=max_new_tokens, num_beams=beam_size)
        scores = model.compute_transition_scores(
            made.sequences, made.scores, getattr(made, "beam_indices", None) if beam_size > 1 else None, True
        )
    ends = _ends(model)
    rows = []
    width = scores.shape[1]
    for ids, row in zip(made.sequences[:, made.sequences.shape[1] - width :].tolist(), scores.tolist(), strict=True):
        length = next((place for place, token in enumerate(ids) if token in ends), width)
        counted = min(width, length + 1)
        # A forced or forbidden token has no finite score.
        logprob = sum(value for value in row[:counted] if value > -1e4)
        rows.append(DecodedRow(ids[:length], float(logprob), counted, cut=length == width))
    return rows


def _ends(model: Any) -> frozenset[int]:
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config(decoder=True).eos_token_id
    if found is None:
        return frozenset()
    return frozenset(found if isinstance(found, list | tuple) else [int(found)])


# Whisper through transformers: language and task forced, no timestamps, no fallback to higher temperatures.

_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")


class WhisperRecogniser(Recogniser):
    """Whisper and what was distilled from it. Every clip is padded to the model's window, as it was trained."""

    searches_beams = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement) -> None:
        super().__init__(options, placement)
        from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

        self.model = self.loaded(WhisperForConditionalGeneration, weights)
        self._tokenizer = WhisperTokenizer.from_pretrained(weights.folder)
        self._features = WhisperFeatureExtractor.from_pretrained(weights.folder)
        self.longest_s = float(self._features.chunk_length)
        config = self.model.generation_config
        languages: dict[str, int] = getattr(config, "lang_to_id", None) or {}
        self._language_ids = {name.strip("<|>"): number for name, number in languages.items()}
        self.forces_language = bool(self._language_ids) and getattr(config, "is_multilingual", True)
        self.languages = tuple(self._language_ids) if self.forces_language else ("en",)
        self._no_speech = next((self._id(name) for name in _NO_SPEECH if self._id(name) is not None), None)

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        features = self._features(
            list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt", return_attention_mask=False
        )
        inputs = self.moved(features)
        with torch.inference_mode():
            encoded = self.model.get_encoder()(inputs["input_features"])
        silence = self._no_speech_probs(encoded, len(clips))
        prompt = torch.tensor([self._prompt(language)] * len(clips), device=self.model.device)
        room = int(self.model.config.max_target_positions) - prompt.shape[1]
        # Every frame of the window is attended to, as in training; saying so keeps the library from guessing.
        everything = torch.ones(encoded[0].shape[:2], dtype=torch.long, device=self.model.device)
        rows = decode(
            self.model,
            {"encoder_outputs": encoded, "decoder_input_ids": prompt, "attention_mask": everything},
            min(self.options.max_new_tokens, room),
            beam_size,
        )
        return [
            Segment(self._text(row.ids), row.logprob, len(row.ids), row.counted, quiet, row.cut)
            for row, quiet in zip(rows, silence, strict=True)
        ]

    def _prompt(self, language: str) -> list[int]:
        """Ids before the text: the start, the language and task where the checkpoint knows any, no timestamps."""
        config = self.model.generation_config
        found = [int(config.decoder_start_token_id or self.model.config.decoder_start_token_id)]
        if self.forces_language:
            tasks = getattr(config, "task_to_id", None) or {}
            found += [self._language_ids[language], *([tasks["transcribe"]] if "transcribe" in tasks else [])]
        plain = getattr(config, "no_timestamps_token_id", None) or self._id("<|notimestamps|>")
        return [*found, *([int(plain)] if plain is not None else [])]

    def _no_speech_probs(self, encoded: Any, rows: int) -> list[float | None]:
        """Probability of the no-speech token right after the start, as OpenAI's decoding takes it."""
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


# Ears with a decoder: encoder-decoders such as Moonshine and Canary, and language models such as Qwen3-ASR.

# Read and tried: their padding is masked all the way. Moonshine normalises over time, zeros behind the clip included.
_MASKED = ("canary", "qwen3_asr")

# Tokens a second beyond which Moonshine repeats itself, by its authors.
_MOONSHINE_TOKENS_PER_S = 6.5


class GenerativeRecogniser(Recogniser):
    """Any other speech-to-text model of transformers that generates.

    Where the processor has `apply_transcription_request`, it writes the prompt and forces the language; else the model
    hears the language that it was trained on.
    """

    searches_beams = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement, auto_class: Any) -> None:
        super().__init__(options, placement)
        from transformers import AutoProcessor

        self.model = self.loaded(auto_class, weights)
        self._processor = AutoProcessor.from_pretrained(weights.folder)
        tokenizer = self._processor.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._asks = hasattr(self._processor, "apply_transcription_request")
        self.languages = _languages_of(self._processor) if self._asks else ()
        self.forces_language = bool(self.languages)
        self._type = str(self.model.config.model_type)
        self.alone = self._type not in _MASKED

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        limit = self.options.max_new_tokens
        if self._type == "moonshine":
            limit = min(limit, max(1, int(seconds * _MOONSHINE_TOKENS_PER_S)))
        inputs = self.moved(self._inputs(clips, language))
        return [self._piece(row) for row in decode(self.model, inputs, limit, beam_size)]

    def _inputs(self, clips: Sequence[Samples], language: str) -> Any:
        if not self._asks:
            return self._processor(list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt", padding=True)
        if not self.forces_language:
            return self._processor.apply_transcription_request(list(clips))
        name = "source_language" if self._type == "canary" else "language"
        return self._processor.apply_transcription_request(list(clips), **{name: language})

    def _piece(self, row: DecodedRow) -> Segment:
        text = self._processor.tokenizer.decode(row.ids, skip_special_tokens=True)
        # A language that is not forced is written before the text, behind this mark.
        text = str(text).rpartition("<asr_text>")[2].strip()
        return Segment(text, row.logprob, len(row.ids), row.counted, cut=row.cut)


def _languages_of(processor: Any) -> tuple[str, ...]:
    """The codes that a processor's own module lists; none where it lists none."""
    module = importlib.import_module(type(processor).__module__)
    return tuple(getattr(module, "LANGUAGE_CODE_TO_NAME", ()))
