"""Qwen3-Omni's speech: several codebooks at 12.5 frames a second, and a causal decoder that takes it in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from omnigap.media.audio import Samples
from omnigap_services.qwen_omni.options import Decoding
from omnigap_services.qwen_omni.prompting import talker_media
from omnigap_services.qwen_omni.talker import (
    Frame,
    HiddenStates,
    OnTokens,
    Talker,
    TalkerPrompt,
    left_padded,
    mask_of,
    trailing_padded,
)
from omnigap_services.torch_utils.generation import StopRows

LEFT_CONTEXT = 25
"""Earlier frames that a piece of audio is decoded with; the library's own number."""

# Ids at the end of the talker's vocabulary that are not codes; the library suppresses this many.
_SPECIAL_IDS = 1024

# The opening of the assistant's turn: start mark, role, line end.
_OPENING = 3


class Qwen3Talker(Talker):
    frame_lags_token = True

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        config = model.config.talker_config
        self._end = config.codec_eos_token_id
        size = config.text_config.vocab_size
        self._suppressed = [token for token in range(size - _SPECIAL_IDS, size) if token != self._end]
        # The config has the names in lower case, the authors' documentation with a capital.
        self._speaker_ids = {name.title(): number for name, number in (config.speaker_id or {}).items()}

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(self._speaker_ids)

    @property
    def ends(self) -> frozenset[int]:
        return frozenset({self._end})

    @property
    def hidden_layer(self) -> int:
        return int(self.model.config.talker_config.accept_hidden_layer)

    def prompt(self, states: HiddenStates, speaker: str) -> TalkerPrompt:
        """The user's turns, then nine steps in which text and codec embeddings of the beginning are added up.

        Text side: the opening of the turn (3), padding (4), the text's begin mark, the first word. Codec side, from the
        fourth step on: no-think, think begin, think end, speaker, padding, begin.
        """
        config, talker, device = self.model.config, self.model.talker, self.device
        ids = states.prompt.ids
        is_user, assistant_start = self._turns(ids)
        thinker = config.thinker_config
        media = (ids == thinker.audio_token_id) | (ids == thinker.image_token_id)
        question = torch.empty(
            int(is_user.sum()), talker.config.text_config.hidden_size, dtype=talker.dtype, device=device
        )
        user, is_media = is_user.to(device), media[is_user].to(device)
        # Two projections: of hidden states at media positions, of embeddings at text positions.
        if bool(is_media.any()):
            question[is_media] = talker.hidden_projection(states.prompt_hidden[user][is_media])
        question[~is_media] = talker.text_projection(states.prompt_embeds[user][~is_media])

        opening = talker.text_projection(states.prompt_embeds[assistant_start:])
        text = talker.text_projection(states.text_embeds)
        begin, end, padding = self._marks()
        head = torch.cat([opening[:_OPENING], padding.expand(4, -1), begin, text[:1]])
        codec = config.talker_config
        codec_ids = torch.tensor(
            [
                codec.codec_nothink_id,
                codec.codec_think_bos_id,
                codec.codec_think_eos_id,
                self._speaker_ids[speaker],
                codec.codec_pad_id,
                codec.codec_bos_id,
            ],
            device=device,
        )
        head[_OPENING:] += talker.get_input_embeddings()(codec_ids)
        # No media in the head, so any text id gives the right positions.
        head_ids = torch.full((len(head),), config.tts_pad_token_id, dtype=torch.long)
        return TalkerPrompt(
            states.prompt,
            torch.cat([ids[is_user], head_ids]).to(device),
            torch.cat([question, head]),
            torch.cat([text[1:], end]),
            padding,
        )

    def generate(self, prompts: Sequence[TalkerPrompt], decoding: Decoding, on_tokens: OnTokens) -> None:
        rows = len(prompts)
        stopped = [False] * rows
        frames_read: list[torch.Tensor] = []

        def on_forward(_module: Any, _inputs: Any, outputs: Any) -> None:
            # The talker appends the frame that it has just read, with all codebooks, to its hidden states; it is None
            # in the pass over the prompt.
            if outputs.hidden_states[-1] is not None:
                frames_read.append(outputs.hidden_states[-1])

        def on_step(sequences: torch.Tensor) -> None:
            frames = [tuple(frame) for frame in frames_read.pop().tolist()] if frames_read else None
            stopped[:] = on_tokens(sequences[:, -1].tolist(), frames)

        # A hook, because `generate` returns the frames only at its end.
        hook = self.model.talker.register_forward_hook(on_forward)
        try:
            self.model.talker.generate(
                inputs_embeds=left_padded([prompt.embeds for prompt in prompts]),
                attention_mask=mask_of([prompt.ids for prompt in prompts]),
                # Not as input_ids: the repetition penalty would read them, and text ids exceed the codec's vocabulary.
                talker_input_ids=left_padded([prompt.ids for prompt in prompts]),
                trailing_text_hidden=trailing_padded(prompts),
                tts_pad_embed=torch.stack([prompt.padding for prompt in prompts]),
                suppress_tokens=self._suppressed,
                eos_token_id=self._end,
                pad_token_id=self._end,
                # Each step reads the hidden states of the step before; the library passes them on only with both flags.
                output_hidden_states=True,
                return_dict_in_generate=True,
                stopping_criteria=[StopRows([partial(stopped.__getitem__, row) for row in range(rows)], on_step)],
                **talker_media([prompt.prompt for prompt in prompts], self.device),
                **self.decoding_arguments(decoding),
            )
        finally:
            hook.remove()

    def chunk_ends(self, frames: int, ended: bool, chunk: int) -> list[int]:
        """Full pieces as soon as their frames exist, and the rest at the end."""
        full = list(range(chunk, frames + 1, chunk))
        return [*full, frames] if ended and frames % chunk else full

    def wave(self, frames: Sequence[Frame], start: int, end: int, decoding: Decoding) -> Samples:
        """One step of the library's `chunked_decode`."""
        decoder = self.model.code2wav
        context = LEFT_CONTEXT if start > LEFT_CONTEXT else start
        # From (frames, codebooks) to (1, codebooks, frames).
        codes = torch.tensor(frames[start - context : end], device=decoder.device).T[None]
        # The decoder upsamples each frame by a fixed factor: the samples of the context are cut off.
        wave = decoder(codes)[0, 0, context * int(decoder.total_upsample) :]
        return np.asarray(wave.float().cpu().numpy(), dtype=np.float32)

    def _turns(self, ids: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Which tokens belong to the user's turns, bool of shape (tokens,), and where the last turn starts.

        The talker does not read the system turn.
        """
        config = self.model.config
        starts = (ids == config.im_start_token_id).nonzero().flatten().tolist()
        user = torch.zeros(len(ids), dtype=torch.bool)
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            # The role follows the start mark.
            user[start:end] = bool(ids[start + 1] == config.user_token_id)
        return user, starts[-1]

    def _marks(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The talker's inputs for the begin, the end, and after the end of a text; each of shape (1, size)."""
        config, table = self.model.config, self.model.thinker.get_input_embeddings()
        ids = [config.tts_bos_token_id, config.tts_eos_token_id, config.tts_pad_token_id]
        embeds = table(torch.tensor(ids, device=table.weight.device)).to(self.device)
        begin, end, padding = self.model.talker.text_projection(embeds).split(1)
        return begin, end, padding
