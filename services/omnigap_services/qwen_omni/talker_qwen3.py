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
"""Frames before a piece that its decoding looks at: the library's own number."""

# Ids at the end of the talker's vocabulary that are no codes: the library suppresses them by this number.
_SPECIAL = 1024


class Qwen3Talker(Talker):
    frames_follow = True

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        config = model.config.talker_config
        self._end = config.codec_eos_token_id
        size = config.text_config.vocab_size
        self._suppressed = [token for token in range(size - _SPECIAL, size) if token != self._end]
        # The configuration's names are in lower case; the authors write them with a capital.
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

    def prompt(self, thought: HiddenStates, speaker: str) -> TalkerPrompt:
        """The user's turns, then nine steps in which text and codec ids of the answer's beginning run side by side."""
        config, talker, device = self.model.config, self.model.talker, self.device
        ids = thought.prompt.ids
        user, assistant = self._turns(ids)
        thinker = config.thinker_config
        media = (ids == thinker.audio_token_id) | (ids == thinker.image_token_id)
        asked = torch.empty(int(user.sum()), talker.config.text_config.hidden_size, dtype=talker.dtype, device=device)
        of_user, seen = user.to(device), media[user].to(device)
        if bool(seen.any()):
            asked[seen] = talker.hidden_projection(thought.prompt_hidden[of_user][seen])
        asked[~seen] = talker.text_projection(thought.prompt_embeds[of_user][~seen])

        # The turn's opening (start mark, role, line end), and the text.
        opening = talker.text_projection(thought.prompt_embeds[assistant:])
        text = talker.text_projection(thought.text_embeds)
        begin, end, padding = self._marks()
        head = torch.cat([opening[:3], padding.expand(4, -1), begin, text[:1]])
        codec = config.talker_config
        steps = torch.tensor(
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
        head[3:] += talker.get_input_embeddings()(steps)
        head_ids = torch.full((len(head),), config.tts_pad_token_id, dtype=torch.long)
        return TalkerPrompt(
            thought.prompt,
            torch.cat([ids[user], head_ids]).to(device),
            torch.cat([asked, head]),
            torch.cat([text[1:], end]),
            padding,
        )

    def generate(self, prompts: Sequence[TalkerPrompt], decoding: Decoding, on_tokens: OnTokens) -> None:
        rows = len(prompts)
        stopped = [False] * rows
        residual: list[torch.Tensor] = []

        def on_forward(_module: Any, _inputs: Any, outputs: Any) -> None:
            # Beside its hidden states the talker returns the frame that it has just read, all codebooks of it.
            if outputs.hidden_states[-1] is not None:
                residual.append(outputs.hidden_states[-1])

        def on_step(sequences: torch.Tensor) -> None:
            frames = [tuple(frame) for frame in residual.pop().tolist()] if residual else None
            stopped[:] = on_tokens(sequences[:, -1].tolist(), frames)

        hook = self.model.talker.register_forward_hook(on_forward)
        try:
            self.model.talker.generate(
                inputs_embeds=left_padded([prompt.embeds for prompt in prompts]),
                attention_mask=mask_of([prompt.ids for prompt in prompts]),
                # Not as input_ids: text ids would pass the end of the codec's vocabulary in the repetition penalty.
                talker_input_ids=left_padded([prompt.ids for prompt in prompts]),
                trailing_text_hidden=trailing_padded(prompts),
                tts_pad_embed=torch.stack([prompt.padding for prompt in prompts]),
                suppress_tokens=self._suppressed,
                eos_token_id=self._end,
                pad_token_id=self._end,
                # The next step reads the last one's states, and the library's flags for both go together.
                output_hidden_states=True,
                return_dict_in_generate=True,
                stopping_criteria=[StopRows([partial(stopped.__getitem__, row) for row in range(rows)], on_step)],
                **talker_media([prompt.prompt for prompt in prompts], self.device),
                **self.decoding_arguments(decoding),
            )
        finally:
            hook.remove()

    def chunk_ends(self, frames: int, ended: bool, chunk: int) -> list[int]:
        """Whole pieces as soon as they are there, and what is left at the end."""
        whole = list(range(chunk, frames + 1, chunk))
        return [*whole, frames] if ended and frames % chunk else whole

    def wave(self, frames: Sequence[Frame], start: int, end: int, decoding: Decoding) -> Samples:
        """As the library's `chunked_decode` does it, one piece at a time."""
        decoder = self.model.code2wav
        context = LEFT_CONTEXT if start > LEFT_CONTEXT else start
        codes = torch.tensor(frames[start - context : end], device=decoder.device).T[None]
        wave = decoder(codes)[0, 0, context * int(decoder.total_upsample) :]
        return np.asarray(wave.float().cpu().numpy(), dtype=np.float32)

    def _turns(self, ids: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Which tokens belong to the user's turns, bool of shape (tokens,), and where the last turn begins."""
        config = self.model.config
        starts = (ids == config.im_start_token_id).nonzero().flatten().tolist()
        user = torch.zeros(len(ids), dtype=torch.bool)
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            user[start:end] = bool(ids[start + 1] == config.user_token_id)
        return user, starts[-1]

    def _marks(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The talker's inputs for the text's begin, its end and after it; each of shape (1, size)."""
        config, table = self.model.config, self.model.thinker.get_input_embeddings()
        ids = [config.tts_bos_token_id, config.tts_eos_token_id, config.tts_pad_token_id]
        embeds = table(torch.tensor(ids, device=table.weight.device)).to(self.device)
        begin, end, padding = self.model.talker.text_projection(embeds).split(1)
        return begin, end, padding
