"""Which prompts go through the model together: those of similar length, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from omnigap_services.qwen_omni.answer import Answer
from omnigap_services.qwen_omni.options import Decoding
from omnigap_services.qwen_omni.prompting import thinker_inputs
from omnigap_services.qwen_omni.talker import Frame, HiddenStates, Talker
from omnigap_services.torch_utils.generation import StopRows, seeded
from omnigap_services.torch_utils.oom import split_on_oom


def batches(lengths: Sequence[int], largest: int, most_tokens: int) -> list[tuple[int, ...]]:
    """Cuts prompts, by number, into batches in the order of their length; every prompt in exactly one.

    Decoding is bound by reading the weights, so a batch is only cut where its prompts, padded to the longest, would
    pass `most_tokens`; a single prompt that does so goes alone.

    Args:
        lengths: tokens of each prompt.
        largest: prompts in a batch.
        most_tokens: tokens in a batch, padding included.
    """
    cut: list[tuple[int, ...]] = []
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        # In ascending order, so the newest is the longest of the batch.
        if batch and (len(batch) == largest or (len(batch) + 1) * lengths[number] > most_tokens):
            cut.append(tuple(batch))
            batch = []
        batch.append(number)
    return [*cut, tuple(batch)] if batch else cut


# The model at work: the thinker writes many answers at once, then the talker speaks them. The parts are driven one by
# one instead of by the library's `generate`, which returns when all is done: so text goes out token by token, every
# clip has its own seed, a caller that leaves ends its row, an empty text needs no speech, and what the talker is
# given is made of one answer alone, padding aside.


class Engine:
    """A loaded model. One thread uses it.

    Attributes:
        talker: None where the checkpoint was loaded without speech.
        text_ends: ids that end a text.
    """

    def __init__(
        self, thinker: Any, talker: Talker | None, text_ends: frozenset[int], pad_id: int, wave_chunk: int
    ) -> None:
        self.thinker = thinker
        self.talker = talker
        self.text_ends = text_ends
        self._pad_id = pad_id
        self._wave_chunk = wave_chunk

    def answer(self, answers: Sequence[Answer], largest: int, most_tokens: int) -> None:
        """Answers all, in batches of those that may share one; an error that is no one's own ends its batch alone."""
        groups: dict[tuple[Decoding, bool], list[Answer]] = {}
        alone: list[list[Answer]] = []
        for answer in answers:
            if answer.decoding.samples:
                alone.append([answer])
            else:
                # Beside a picture the library reckons the positions of a sound in another way than without one, and
                # in Qwen3's talker fails to.
                seen = answer.prompt.image_tokens > 0
                groups.setdefault((answer.decoding.company, seen), []).append(answer)
        for group in [*groups.values(), *alone]:
            for numbers in batches([len(answer.prompt) for answer in group], largest, most_tokens):
                self._batch([group[number] for number in numbers])

    def _batch(self, batch: Sequence[Answer]) -> None:
        try:
            with torch.no_grad():
                split_on_oom(batch, self._think, Answer.fail)
                split_on_oom([answer for answer in batch if answer.to_say is not None], self._speak, Answer.fail)
        except Exception as error:
            for answer in batch:
                if not answer.over:
                    answer.fail(error)
        finally:
            for answer in batch:
                answer.to_say = None

    def _think(self, batch: Sequence[Answer]) -> None:
        """Writes the texts, and keeps of each what the talker needs."""
        rows = [answer for answer in batch if not answer.gone and answer.to_say is None]
        if not rows:
            return
        for answer in rows:
            answer.restart_text()
        decoding = rows[0].decoding
        table = self.thinker.get_input_embeddings().weight
        inputs = thinker_inputs([a.prompt for a in rows], self._pad_id, table.device, table.dtype)

        def on_step(sequences: torch.Tensor) -> None:
            for answer, token in zip(rows, sequences[:, -1].tolist(), strict=True):
                if not answer.over and not answer.text_ended:
                    answer.add_token(token, self.text_ends)

        stop = StopRows([answer.writes_no_more for answer in rows], on_step)
        with seeded(decoding.seed):
            made = self.thinker.generate(
                **inputs,
                **self._text_arguments(decoding),
                use_audio_in_video=False,
                stopping_criteria=[stop],
                output_hidden_states=decoding.speech,
                return_dict_in_generate=True,
            )
        if decoding.speech:
            self._keep_thoughts(rows, made.hidden_states)

    def _text_arguments(self, decoding: Decoding) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "max_new_tokens": decoding.max_new_tokens,
            "do_sample": decoding.temperature > 0,
            "eos_token_id": sorted(self.text_ends),
            "pad_token_id": self._pad_id,
        }
        if decoding.temperature > 0:
            # What the request leaves out is off: a library's default of top_k 50 is no one's choice.
            arguments["temperature"] = decoding.temperature
            arguments["top_p"] = 1.0 if decoding.top_p is None else decoding.top_p
            arguments["top_k"] = decoding.top_k or 0
        if decoding.repetition_penalty is not None:
            arguments["repetition_penalty"] = decoding.repetition_penalty
        if decoding.fixed_length:
            arguments["min_new_tokens"] = decoding.max_new_tokens
        return arguments

    def _keep_thoughts(self, rows: Sequence[Answer], states: Sequence[Sequence[torch.Tensor]]) -> None:
        """Cuts each row's own states out of the steps'; one step is the prompt, each later one a token read again."""
        assert self.talker is not None, "speech is refused where no talker was loaded"
        layer = self.talker.hidden_layer
        # Spread over several GPUs, the thinker's first and last layer lie apart.
        embeds = torch.cat([step[0] for step in states], dim=1).to(self.talker.device)
        hidden = torch.cat([step[layer] for step in states], dim=1).to(self.talker.device)
        prompt_length = states[0][0].shape[1]
        for number, answer in enumerate(rows):
            if answer.gone:
                continue
            known = min(len(answer.text.ids), len(states) - 1)
            if not known:
                # Nothing was written, or a single token at the maximum: there is nothing to voice.
                answer.end_speech(self.talker, self._wave_chunk, whole=answer.text_ended)
                continue
            first, last = prompt_length - len(answer.prompt), prompt_length + known
            thought = HiddenStates(
                answer.prompt,
                torch.tensor(answer.text.ids[:known]),
                embeds[number, first:prompt_length],
                hidden[number, first:prompt_length],
                embeds[number, prompt_length:last],
                hidden[number, prompt_length:last],
            )
            answer.to_say = self.talker.prompt(thought, answer.decoding.speaker)

    def _speak(self, batch: Sequence[Answer]) -> None:
        """Speaks the answers; each goes out when its own speech has ended, not when the longest has."""
        talker = self.talker
        rows = [(answer, answer.to_say) for answer in batch if not answer.gone and answer.to_say is not None]
        if not rows or talker is None:
            return
        for answer, _ in rows:
            answer.restart_speech()

        def on_tokens(tokens: Sequence[int], frames: Sequence[Frame] | None) -> list[bool]:
            for number, (answer, _) in enumerate(rows):
                if answer.gone:
                    continue
                ended = tokens[number] in talker.ends
                if frames is not None and (talker.frames_follow or not ended):
                    answer.add_frame(frames[number])
                if ended:
                    answer.end_speech(talker, self._wave_chunk, whole=True)
                else:
                    answer.speak(talker, self._wave_chunk, ended=False)
            return [answer.over for answer, _ in rows]

        decoding = rows[0][0].decoding
        with seeded(decoding.seed):
            talker.generate([prompt for _, prompt in rows], decoding, on_tokens)
        for answer, _ in rows:
            if not answer.gone:
                answer.end_speech(talker, self._wave_chunk, whole=False)
