"""Runs the language model: text and speech codes of a batch, and a second generation that reads answers aloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from omnigap_services.anygpt.answer import Answer, Row
from omnigap_services.anygpt.options import Sampling
from omnigap_services.anygpt.prompt import PromptBuilder
from omnigap_services.anygpt.speech import Speaker
from omnigap_services.anygpt.vocabulary import Vocabulary
from omnigap_services.torch_utils.generation import StopRows, seeded, split_on_oom

PAD = 0
"""Id that pads the left of shorter prompts and the end of rows that have ended; no answer contains it."""


class AllowedTokens:
    """Logits processor: in a text only text and its end marks, in speech only speech codes and the mark that ends it.

    A row changes from text to speech on its own, at its own step. Without the masks a stray token of another modality
    would be read as a code.

    Args:
        size: width of the logits; ids behind the vocabulary are never allowed.
    """

    def __init__(self, vocabulary: Vocabulary, size: int) -> None:
        speech = vocabulary.speech
        starts = [speech.start] if speech else []
        codes = speech.ids(range(speech.size))[1:] if speech else []
        self._text = _banned([*vocabulary.text_ids(), *vocabulary.ends, *starts], size)
        self._speech = _banned(codes, size)
        self._rows: Sequence[Row] = ()

    def start(self, rows: Sequence[Row]) -> AllowedTokens:
        """Sets the rows of the next generation."""
        self._rows = rows
        return self

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of shape (rows, vocabulary), -inf where a token is not allowed."""
        # With a device map the scores are on the device of the inputs, which is not that of the head.
        self._text, self._speech = self._text.to(scores.device), self._speech.to(scores.device)
        in_speech = torch.tensor([row.in_speech for row in self._rows], device=scores.device)[:, None]
        return scores.masked_fill(torch.where(in_speech, self._speech, self._text), -torch.inf)


class Engine:
    """A loaded model, used by one thread.

    Attributes:
        model: of transformers.
        speaker: None if the options leave speech out.
        context: positions that the model was trained with.
    """

    def __init__(self, model: Any, vocabulary: Vocabulary, prompts: PromptBuilder, speaker: Speaker | None) -> None:
        self.model = model
        self.speaker = speaker
        self.context = int(model.config.max_position_embeddings)
        self._vocabulary = vocabulary
        self._prompts = prompts
        self._allowed = AllowedTokens(vocabulary, model.get_output_embeddings().weight.shape[0])

    def answer(self, answers: Sequence[Answer]) -> None:
        """Answers all: greedy ones with equal decoding in one batch, sampled ones one by one."""
        for batch in _batches(answers):
            self._run(batch)

    def _run(self, batch: Sequence[Answer]) -> None:
        """An error of the model fails the answers of its generation only."""
        self._try(batch, self._write)
        # Answers to spoken questions have their codes already: they do not depend on this generation.
        self._try([a for a in batch if a.speech and a.codes is None and not a.done], self._read_aloud)
        for answer in batch:
            # One by one: SoundStorm draws for each clip from its own seed.
            try:
                split_on_oom([answer], self._speak, Answer.fail, "max_speech_tokens")
            except Exception as error:
                answer.fail(error)

    def _try(self, answers: Sequence[Answer], work: Callable[[Sequence[Answer]], None]) -> None:
        try:
            with torch.inference_mode():
                split_on_oom(answers, work, Answer.fail)
        except Exception as error:
            for answer in answers:
                if not answer.done:
                    answer.fail(error)

    def _write(self, answers: Sequence[Answer]) -> None:
        """Generates the texts, and the speech of native answers."""
        rows = [
            Row(answer, answer.prompt.ids, self.context - len(answer.prompt.ids), answer.speech and answer.native)
            for answer in answers
            # A retried half may hold answers that the first attempt has already completed.
            if not answer.stopped and answer.reply is None
        ]

        def take(row: Row) -> None:
            row.answer.take_text(row, self._vocabulary.text(row.text))

        self._generate(rows, lambda answer: answer.decoding.text, take)

    def _read_aloud(self, answers: Sequence[Answer]) -> None:
        """Generates the speech of assisted answers: the same prompt, the written answer, and the mark of speech."""
        rows = []
        for answer in answers:
            if answer.stopped or answer.reply is None or answer.codes is not None:
                continue
            ids = self._prompts.continued(answer.prompt, answer.reply.answer)
            if len(ids) < self.context:
                rows.append(Row(answer, ids, self.context - len(ids), speaks=True, in_speech=True))
            else:
                answer.has_no_room()
        self._generate(rows, lambda answer: answer.decoding.reading, lambda row: row.answer.take_speech(row))

    def _speak(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.stopped or answer.codes is None or self.speaker is None:
                continue
            with torch.inference_mode():
                samples = self.speaker.wave(answer.codes, answer.decoding.seed)
            answer.speak(samples, self.speaker.sample_rate)

    def _generate(self, rows: Sequence[Row], sampling_of: Any, take: Any) -> None:
        """Runs rows of one sampling to their ends; each is taken when it has ended, not when the longest has."""
        if not rows:
            return
        sampling: Sampling = sampling_of(rows[0].answer)
        device = self.model.get_input_embeddings().weight.device
        # Generation continues each row at its right end, so padding is on the left.
        longest = max(len(row.ids) for row in rows)
        padded = [[PAD] * (longest - len(row.ids)) + list(row.ids) for row in rows]
        mask = [[0] * (longest - len(row.ids)) + [1] * len(row.ids) for row in rows]

        def on_step(ids: torch.Tensor) -> None:
            for row, token in zip(rows, ids[:, -1].tolist(), strict=True):
                # Rows that have ended are padded until the last one ends.
                if row.stopped():
                    continue
                row.add(token, self._vocabulary)
                if row.ended:
                    take(row)

        with seeded(rows[0].answer.decoding.seed):
            self.model.generate(
                input_ids=torch.tensor(padded, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=max(row.limit for row in rows),
                **sampling.generate_arguments(),
                pad_token_id=PAD,
                logits_processor=[self._allowed.start(rows)],
                stopping_criteria=[StopRows([row.stopped for row in rows], on_step)],
            )


def _batches(answers: Sequence[Answer]) -> list[list[Answer]]:
    groups: dict[tuple[Sampling, Sampling], list[Answer]] = {}
    single: list[list[Answer]] = []
    for answer in answers:
        if answer.decoding.samples:
            # Sampling draws from one generator for all rows of a batch.
            single.append([answer])
        else:
            groups.setdefault((answer.decoding.text, answer.decoding.reading), []).append(answer)
    return [*groups.values(), *single]


def _banned(allowed: Iterable[int], size: int) -> torch.Tensor:
    """True for each id that is not allowed, shape (size,)."""
    banned = torch.ones(size, dtype=torch.bool)
    banned[list(allowed)] = False
    return banned
