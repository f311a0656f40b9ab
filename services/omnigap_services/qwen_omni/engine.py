"""Runs the model: the thinker writes the texts of a batch, then the talker speaks them.

The parts are driven one by one instead of by the library's `generate`, which returns only when everything is done. So
text is streamed token by token, every clip has its own seed, a cancelled request stops its own row, an empty text needs
no speech, and the talker's input depends on one answer only, apart from padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from omnigap_services.qwen_omni.answer import Answer
from omnigap_services.qwen_omni.options import Decoding
from omnigap_services.qwen_omni.prompting import thinker_inputs
from omnigap_services.qwen_omni.talker import Frame, HiddenStates, Talker
from omnigap_services.torch_utils.generation import StopRows, seeded, split_on_oom


def batches(lengths: Sequence[int], max_batch_size: int, max_batch_tokens: int) -> list[tuple[int, ...]]:
    """Splits prompts, by number, into batches of similar length; every prompt is in exactly one.

    Decoding is bound by reading the weights, so batches are as large as allowed; sorting by length only keeps the
    padding small. A single prompt over `max_batch_tokens` is a separate batch.

    Args:
        lengths: tokens of each prompt.
        max_batch_size: prompts in a batch.
        max_batch_tokens: tokens in a batch, padding included.
    """
    found: list[tuple[int, ...]] = []
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        # In ascending order, so the new prompt is the longest, to which all would be padded.
        if batch and (len(batch) == max_batch_size or (len(batch) + 1) * lengths[number] > max_batch_tokens):
            found.append(tuple(batch))
            batch = []
        batch.append(number)
    return [*found, tuple(batch)] if batch else found


class Engine:
    """A loaded model, used by one thread.

    Attributes:
        talker: None if the checkpoint was loaded without speech.
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

    def answer(self, answers: Sequence[Answer], max_batch_size: int, max_batch_tokens: int) -> None:
        """Answers all, in batches of those that can share one; an error of the model fails its batch only."""
        groups: dict[tuple[Decoding, bool], list[Answer]] = {}
        single: list[list[Answer]] = []
        for answer in answers:
            if answer.decoding.samples:
                single.append([answer])
            else:
                # With an image in the batch the library computes the positions of audio in another way than without
                # one, and in Qwen3's talker it fails to.
                has_images = answer.prompt.image_tokens > 0
                groups.setdefault((answer.decoding.batch_key, has_images), []).append(answer)
        for group in [*groups.values(), *single]:
            for numbers in batches([len(answer.prompt) for answer in group], max_batch_size, max_batch_tokens):
                self._run([group[number] for number in numbers])

    def _run(self, batch: Sequence[Answer]) -> None:
        try:
            with torch.no_grad():
                split_on_oom(batch, self._write_texts, Answer.fail)
                # Split on its own: if the talker runs out of memory, the texts are not generated again.
                with_speech = [answer for answer in batch if answer.talker_prompt is not None]
                split_on_oom(with_speech, self._speak, Answer.fail)
        except Exception as error:
            for answer in batch:
                if not answer.done:
                    answer.fail(error)
        finally:
            # Frees the hidden states before the next batch.
            for answer in batch:
                answer.talker_prompt = None

    def _write_texts(self, batch: Sequence[Answer]) -> None:
        """Generates the texts, and for speech answers the talker's prompts."""
        # A retried half may hold answers that the first attempt has already prepared.
        rows = [answer for answer in batch if not answer.stopped and answer.talker_prompt is None]
        if not rows:
            return
        for answer in rows:
            answer.restart_text()
        decoding = rows[0].decoding
        table = self.thinker.get_input_embeddings().weight
        inputs = thinker_inputs([answer.prompt for answer in rows], self._pad_id, table.device, table.dtype)

        def on_step(sequences: torch.Tensor) -> None:
            for answer, token in zip(rows, sequences[:, -1].tolist(), strict=True):
                # Rows that have ended are padded until the last one ends.
                if not answer.done and not answer.text_ended:
                    answer.add_token(token, self.text_ends)

        with seeded(decoding.seed):
            output = self.thinker.generate(
                **inputs,
                **self._text_arguments(decoding),
                use_audio_in_video=False,
                stopping_criteria=[StopRows([answer.text_stopped for answer in rows], on_step)],
                # The talker reads them. All layers are kept, which takes memory, so only when speech is requested.
                output_hidden_states=decoding.speech,
                return_dict_in_generate=True,
            )
        if decoding.speech:
            self._prepare_speech(rows, output.hidden_states)

    def _text_arguments(self, decoding: Decoding) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "max_new_tokens": decoding.max_new_tokens,
            "do_sample": decoding.temperature > 0,
            "eos_token_id": sorted(self.text_ends),
            "pad_token_id": self._pad_id,
        }
        if decoding.temperature > 0:
            # Set explicitly if the request leaves them out: the library's default would be top_k = 50.
            arguments["temperature"] = decoding.temperature
            arguments["top_p"] = 1.0 if decoding.top_p is None else decoding.top_p
            arguments["top_k"] = decoding.top_k or 0
        if decoding.repetition_penalty is not None:
            arguments["repetition_penalty"] = decoding.repetition_penalty
        if decoding.fixed_length:
            arguments["min_new_tokens"] = decoding.max_new_tokens
        return arguments

    def _prepare_speech(self, rows: Sequence[Answer], states: Sequence[Sequence[torch.Tensor]]) -> None:
        """Builds each answer's talker prompt from its own rows of the hidden states.

        Args:
            states: by step and layer, shape (rows, tokens, size). The first step is the prompt; each later one is one
                token, read in order to generate the next.
        """
        assert self.talker is not None, "speech is refused if no talker was loaded"
        layer = self.talker.hidden_layer
        # With the weights spread over several GPUs, the thinker's first and last layer are on different devices.
        embeds = torch.cat([step[0] for step in states], dim=1).to(self.talker.device)
        hidden = torch.cat([step[layer] for step in states], dim=1).to(self.talker.device)
        prompt_length = states[0][0].shape[1]
        for number, answer in enumerate(rows):
            if answer.stopped:
                continue
            # At the maximum length the last token was never read, so it has no state.
            known = min(len(answer.text.ids), len(states) - 1)
            if not known:
                # No text, or a single token at the maximum length: there is nothing to speak.
                answer.end_speech(self.talker, self._wave_chunk, complete=answer.text_ended)
                continue
            # Without the row's left padding.
            first, last = prompt_length - len(answer.prompt), prompt_length + known
            hidden_states = HiddenStates(
                answer.prompt,
                torch.tensor(answer.text.ids[:known]),
                embeds[number, first:prompt_length],
                hidden[number, first:prompt_length],
                embeds[number, prompt_length:last],
                hidden[number, prompt_length:last],
            )
            answer.talker_prompt = self.talker.prompt(hidden_states, answer.decoding.speaker)

    def _speak(self, batch: Sequence[Answer]) -> None:
        """Speaks the answers; each is completed when its own speech ends, not when the longest one does."""
        talker = self.talker
        rows = [
            (answer, answer.talker_prompt)
            for answer in batch
            if not answer.stopped and answer.talker_prompt is not None
        ]
        if not rows or talker is None:
            return
        for answer, _ in rows:
            answer.restart_speech()

        def on_tokens(tokens: Sequence[int], frames: Sequence[Frame] | None) -> list[bool]:
            for number, (answer, _) in enumerate(rows):
                if answer.stopped:
                    continue
                ended = tokens[number] in talker.ends
                # A frame that comes with its token is not one if the token is the end mark; a frame that comes one step
                # later belongs to the token before.
                if frames is not None and (talker.frame_lags_token or not ended):
                    answer.add_frame(frames[number])
                if ended:
                    answer.end_speech(talker, self._wave_chunk, complete=True)
                else:
                    answer.speak(talker, self._wave_chunk, ended=False)
            return [answer.done for answer, _ in rows]

        decoding = rows[0][0].decoding
        with seeded(decoding.seed):
            talker.generate([prompt for _, prompt in rows], decoding, on_tokens)
        for answer, _ in rows:
            if not answer.stopped:
                answer.end_speech(talker, self._wave_chunk, complete=False)
