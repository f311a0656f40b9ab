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

# Every row is padded by at least one position. The library's `generate` drops a mask without padding, and without a
# mask the talker adds no start mark of the codec and computes no positions of images.
_MIN_PADDING = 1


class Qwen25Talker(Talker):
    frame_lags_token = False

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        # The wave decoder was trained, and is run by the library, in single precision, for every dtype of the rest.
        model.token2wav.float()
        config = model.config.talker_config
        self._pad, self._start = config.tts_codec_pad_token_id, config.tts_codec_start_token_id
        self._mask, self._end = config.tts_codec_mask_token_id, config.tts_codec_end_token_id
        codes = model.config.token2wav_config.dit_config.num_embeds
        # The talker's vocabulary is larger than the wave decoder's table. An id beyond the table would be an index
        # error, which on a GPU breaks the CUDA context for all later requests.
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

    def prompt(self, states: HiddenStates, speaker: str) -> TalkerPrompt:
        """The sum of the thinker's hidden states and embeddings, then the speaker's start token and the first word.

        The other words follow one a step, through `trailing`, with the text's end and padding marks behind them.
        """
        device, config = self.device, self.model.config.talker_config
        bos = int(self.model.speaker_map[speaker]["bos_token"])
        marks = self._embed([bos, config.tts_text_end_token_id, config.tts_text_pad_token_id])
        thinker = self.model.config.thinker_config
        is_media = (states.prompt.ids == thinker.audio_token_index) | (states.prompt.ids == thinker.image_token_index)
        # At media positions the talker gets hidden states only, without the media's embeddings.
        embeds = states.prompt_embeds.masked_fill(is_media[:, None].to(device), 0)
        text = states.text_hidden + states.text_embeds
        return TalkerPrompt(
            states.prompt,
            torch.cat([states.prompt.ids, torch.tensor([bos]), states.ids[:1]]).to(device),
            torch.cat([states.prompt_hidden + embeds, marks[:1], text[:1]]),
            torch.cat([text[1:], marks[1:]]),
            marks[2:],
        )

    def generate(self, prompts: Sequence[TalkerPrompt], decoding: Decoding, on_tokens: OnTokens) -> None:
        embeds = left_padded([prompt.embeds for prompt in prompts], _MIN_PADDING)
        rows, length = embeds.shape[:2]
        # Codec ids of the prompt, which only the repetition penalty reads: the forward pass takes `embeds`.
        ids = torch.full((rows, length), self._mask, dtype=torch.long, device=self.device)
        ids[:, -2], ids[:, -1] = self._pad, self._start
        stopped = [False] * rows

        def on_step(sequences: torch.Tensor) -> None:
            # With one codebook a token is the whole frame.
            tokens = sequences[:, -1].tolist()
            stopped[:] = on_tokens(tokens, [(token,) for token in tokens])

        self.model.talker.generate(
            input_ids=ids,
            input_text_ids=left_padded([prompt.ids for prompt in prompts], _MIN_PADDING),
            inputs_embeds=embeds,
            attention_mask=mask_of([prompt.ids for prompt in prompts], _MIN_PADDING),
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
        """One piece at the end: the blocks of the diffusion decoder look ahead, and its noise is for the whole clip."""
        return [frames] if ended and frames else []

    def wave(self, frames: Sequence[Frame], start: int, end: int, decoding: Decoding) -> Samples:
        speaker = self.model.speaker_map[decoding.speaker]
        device = self.model.token2wav.device
        codes = torch.tensor([[frame[0] for frame in frames[start:end]]], device=device)
        # Seeded for every clip: the decoder starts from noise of the global generator, so a clip would otherwise depend
        # on the clips before it.
        with seeded(decoding.seed):
            wave = self.model.token2wav(
                codes,
                conditioning=speaker["cond"].to(device).float(),
                reference_mel=speaker["ref_mel"].to(device).float(),
            )
        return np.asarray(wave.reshape(-1).float().cpu().numpy(), dtype=np.float32)

    def _embed(self, ids: Sequence[int]) -> torch.Tensor:
        """Embeddings of text ids, from the thinker's table, on the talker's device."""
        table = self.model.thinker.get_input_embeddings()
        embeds: torch.Tensor = table(torch.tensor(ids, device=table.weight.device)).to(self.device)
        return embeds
