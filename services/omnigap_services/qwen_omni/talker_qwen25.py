"""Qwen2.5-Omni's speech: one codebook at 50 frames a second, and a diffusion decoder that takes a clip as a whole."""

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
from omnigap_services.torch_utils.generation import StopRows, seeded

# Every row is padded, if only by one position: of a mask without padding the library's `generate` makes none at all,
# and the talker adds the codec's start mark, and reckons the positions of pictures, only where it sees a mask.
_PADDED = 1


class Qwen25Talker(Talker):
    frames_follow = False

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        # Trained and run in single precision, whatever the rest is in.
        model.token2wav.float()
        config = model.config.talker_config
        self._pad, self._start = config.tts_codec_pad_token_id, config.tts_codec_start_token_id
        self._mask, self._end = config.tts_codec_mask_token_id, config.tts_codec_end_token_id
        codes = model.config.token2wav_config.dit_config.num_embeds
        # The wave decoder's table ends before the talker's vocabulary does: an id between would end in an index error,
        # on a GPU in a broken context.
        outside = set(range(codes, config.vocab_size)) - {self._pad, self._end}
        self._suppressed = sorted(outside | {self._start})

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(self.model.speaker_map)

    @property
    def ends(self) -> frozenset[int]:
        return frozenset({self._pad, self._end})

    @property
    def hidden_layer(self) -> int:
        return -1

    def prompt(self, thought: HiddenStates, speaker: str) -> TalkerPrompt:
        """The thinker's states, with the speaker's start token and the first word behind; media as states alone."""
        device, config = self.device, self.model.config.talker_config
        bos = int(self.model.speaker_map[speaker]["bos_token"])
        words = self._embed([bos, config.tts_text_end_token_id, config.tts_text_pad_token_id])
        thinker = self.model.config.thinker_config
        media = (thought.prompt.ids == thinker.audio_token_index) | (thought.prompt.ids == thinker.image_token_index)
        embeds = thought.prompt_embeds.masked_fill(media[:, None].to(device), 0)
        said = thought.text_hidden + thought.text_embeds
        return TalkerPrompt(
            thought.prompt,
            torch.cat([thought.prompt.ids, torch.tensor([bos]), thought.ids[:1]]).to(device),
            torch.cat([thought.prompt_hidden + embeds, words[:1], said[:1]]),
            torch.cat([said[1:], words[1:]]),
            words[2:],
        )

    def generate(self, prompts: Sequence[TalkerPrompt], decoding: Decoding, on_tokens: OnTokens) -> None:
        embeds = left_padded([prompt.embeds for prompt in prompts], _PADDED)
        rows, length = embeds.shape[:2]
        # What the repetition penalty sees as the prompt; the forward pass takes `embeds`.
        ids = torch.full((rows, length), self._mask, dtype=torch.long, device=self.device)
        ids[:, -2], ids[:, -1] = self._pad, self._start
        stopped = [False] * rows

        def on_step(sequences: torch.Tensor) -> None:
            tokens = sequences[:, -1].tolist()
            stopped[:] = on_tokens(tokens, [(token,) for token in tokens])

        self.model.talker.generate(
            input_ids=ids,
            input_text_ids=left_padded([prompt.ids for prompt in prompts], _PADDED),
            inputs_embeds=embeds,
            attention_mask=mask_of([prompt.ids for prompt in prompts], _PADDED),
            thinker_reply_part=trailing_padded(prompts),
            use_audio_in_video=False,
            suppress_tokens=self._suppressed,
            eos_token_id=sorted(self.ends),
            pad_token_id=self._pad,
            stopping_criteria=[StopRows([partial(stopped.__getitem__, row) for row in range(rows)], on_step)],
            **talker_media([prompt.prompt for prompt in prompts], self.device),
            **self.decoding_arguments(decoding),
        )

    def chunk_ends(self, frames: int, ended: bool, chunk: int) -> list[int]:
        """The library's decoder takes a clip as a whole: its blocks look ahead, and its noise is for all of it."""
        return [frames] if ended and frames else []

    def wave(self, frames: Sequence[Frame], start: int, end: int, decoding: Decoding) -> Samples:
        speaker = self.model.speaker_map[decoding.speaker]
        device = self.model.token2wav.device
        codes = torch.tensor([[frame[0] for frame in frames[start:end]]], device=device)
        with seeded(decoding.seed):
            wave = self.model.token2wav(
                codes,
                conditioning=speaker["cond"].to(device).float(),
                reference_mel=speaker["ref_mel"].to(device).float(),
            )
        return np.asarray(wave.reshape(-1).float().cpu().numpy(), dtype=np.float32)

    def _embed(self, ids: Sequence[int]) -> torch.Tensor:
        table = self.model.thinker.get_input_embeddings()
        embeds: torch.Tensor = table(torch.tensor(ids, device=table.weight.device)).to(self.device)
        return embeds
