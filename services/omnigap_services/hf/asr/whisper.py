"""Whisper through transformers: language and task forced, no timestamps, no fallback to higher temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.ears import SAMPLE_RATE, Ears, Piece
from omnigap_services.hf.asr.options import HfAsrOptions
from omnigap_services.hf.asr.written import write
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")


class WhisperEars(Ears):
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

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Piece]:
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
        rows = write(
            self.model,
            {"encoder_outputs": encoded, "decoder_input_ids": prompt, "attention_mask": everything},
            min(self.options.max_new_tokens, room),
            beam_size,
        )
        return [
            Piece(self._text(row.ids), row.logprob, len(row.ids), row.counted, quiet, row.cut)
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
