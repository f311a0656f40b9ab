"""The `hf-asr` service: audio in, its text out, by another model than the default scorer's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Condition, FinishReason, Modality, Reason, primary_language
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Turn
from omnigap_services.audio import SILENCE_PEAK, clip_of, compression_ratio, serving
from omnigap_services.chunking import batches, cut
from omnigap_services.hf.asr.loading import LoadedRecogniser, load_recogniser
from omnigap_services.hf.asr.recogniser import SAMPLE_RATE, SERVICE, HfAsrOptions, Segment
from omnigap_services.options import read_options
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.generation import CancellationHook, GenerationCancelledError
from omnigap_services.torch_utils.oom import split_on_oom

_SHORTEST = SAMPLE_RATE // 10

Asked = tuple[Turn, Samples]


class HfAsrAdapter(Adapter):
    """A scorer that never samples, is told the language where the model takes one, and hears nothing but the clip."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(HfAsrOptions, SERVICE, options)

    def load(self) -> Card:
        self._loaded = load_recogniser(self._set)
        self._ears = self._loaded.ears
        self._watch = CancellationHook(self._ears.model)
        self._languages = self._ears.languages or self._set.languages or (primary_language(self._set.language),)
        self._window = int(min(self._set.window_s, self._ears.longest_s) * SAMPLE_RATE)
        return self._card(self._loaded)

    def generate(self, batch: Sequence[Turn]) -> None:
        groups: dict[tuple[str, int], list[Asked]] = defaultdict(list)
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                samples = clip_of(turn.request)
                groups[self._language(turn), self._beam_size(turn)].append((turn, samples))
            except ContractError as error:
                turn.fail(error)
        for (language, beam_size), asked in groups.items():
            work = partial(self._answer, language=language, beam_size=beam_size)
            try:
                split_on_oom(asked, work, lambda one, error: one[0].fail(error))
            except Exception as error:  # these clips' alone: others of the batch are in another language
                for turn, _ in asked:
                    turn.fail(error)

    def _answer(self, asked: Sequence[Asked], language: str, beam_size: int) -> None:
        try:
            with self._watch.over(lambda: all(turn.cancelled for turn, _ in asked)):
                heard = self._hear([samples for _, samples in asked], language, beam_size)
        except GenerationCancelledError:
            return
        for (turn, samples), pieces in zip(asked, heard, strict=True):
            turn.write(" ".join(piece.text for piece in pieces if piece.text))
            turn.complete(_completion(pieces, len(samples) / SAMPLE_RATE, language))

    def _hear(self, clips: Sequence[Samples], language: str, beam_size: int) -> list[list[Segment]]:
        """The pieces of each clip; digital silence has none. Pieces of about one length go together."""
        pieces = [
            piece
            for number, clip in enumerate(clips)
            if float(np.abs(clip).max()) > SILENCE_PEAK
            for piece in cut(clip, self._window, number)
        ]
        sounds = [clips[piece.clip][piece.start : piece.end] for piece in pieces]
        sounds = [np.pad(sound, (0, max(0, _SHORTEST - len(sound)))) for sound in sounds]
        largest = 1 if self._ears.alone else self._set.max_batch_size
        heard: dict[int, Segment] = {}
        for together in batches([len(sound) for sound in sounds], SAMPLE_RATE, largest):
            found = self._ears.hear(
                [sounds[number] for number in together.clips], language, beam_size, together.frames / SAMPLE_RATE
            )
            heard.update(zip(together.clips, found, strict=True))
        return [
            [heard[number] for number, piece in enumerate(pieces) if piece.clip == clip] for clip in range(len(clips))
        ]

    def _language(self, turn: Turn) -> str:
        language = turn.request.language or self._set.language
        found = serving(language, self._languages)
        if found is None:
            known = ", ".join(self._languages)
            text = f"language {language!r} is not known to {self._loaded.weights.name}: send one of {known}"
            told = ", or set another checkpoint" if self._ears.languages else ", or list it in the option languages"
            raise ContractError(Reason.BAD_REQUEST, text + told)
        return found

    def _beam_size(self, turn: Turn) -> int:
        asked = turn.request.decoding.beam_size
        if asked is not None and asked > 1 and not self._ears.searches_beams:
            text = f"decoding.beam_size is {asked}, but a {self._loaded.model_type} is greedy: leave it unset"
            raise ContractError(Reason.BAD_REQUEST, text)
        return (asked or self._set.beam_size) if self._ears.searches_beams else 1

    def _card(self, loaded: LoadedRecogniser) -> Card:
        options = self._set
        return Card(
            name=options.name or loaded.weights.name,
            conditions={Condition(Modality.SPEECH, Modality.TEXT): NATIVE},
            weights_revision=loaded.weights.revision,
            settings={
                **loaded.ears.facts,
                **loaded.placement.settings(),
                "code.torch_models": source_hash("omnigap_services.torch_utils"),
                "code.audio": source_hash("omnigap_services.audio", "omnigap_services.chunking"),
                "family": loaded.model_type,
                "temperature": "0.0",
                "beam_size": str(options.beam_size if loaded.ears.searches_beams else 1),
                "max_new_tokens": str(options.max_new_tokens),
                "allow_missing_weights": json.dumps(options.allow_missing_weights),
                "language": options.language,
                "language_forced": str(loaded.ears.forces_language),
                "window_s": str(self._window / SAMPLE_RATE),
                "silence_peak": str(SILENCE_PEAK),
            },
            libraries=("torch", "transformers", "tokenizers"),
            languages=self._languages,
            max_batch_size=options.max_batch_size,
            max_queue=options.max_queue,
            input_sample_rate_hz=SAMPLE_RATE,
            max_audio_seconds=600.0,
        )


def _completion(pieces: Sequence[Segment], duration_s: float, language: str) -> Completion:
    """How a transcript ended, with statistics under the default scorer's names, as far as the model tells them."""
    text = " ".join(piece.text for piece in pieces if piece.text)
    found = {"duration_s": duration_s, "compression_ratio": compression_ratio(text)}
    counted = sum(piece.counted for piece in pieces)
    logprobs = [piece.logprob for piece in pieces if piece.logprob is not None]
    if not pieces:
        # As the default scorer tells digital silence.
        found |= {"avg_logprob": 0.0, "no_speech_prob": 1.0}
    elif len(logprobs) == len(pieces) and counted:
        found["avg_logprob"] = sum(logprobs) / counted
    if pieces and pieces[0].no_speech_prob is not None:
        found["no_speech_prob"] = pieces[0].no_speech_prob
    return Completion(
        finish_reason=FinishReason.LENGTH if any(piece.cut for piece in pieces) else FinishReason.STOP,
        output_tokens=sum(piece.tokens for piece in pieces),
        diagnostics=found,
        detected_language=language,
    )
