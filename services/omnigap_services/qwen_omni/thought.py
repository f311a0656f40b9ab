"""What the thinker leaves of one answer for the talker: ids, and hidden states of prompt and text."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from omnigap_services.qwen_omni.prompting import Prompt


@dataclass(frozen=True, slots=True)
class Thought:
    """One answer's text, as the talker takes it; tensors are on the talker's device, ids on the CPU.

    A token's hidden state is known once the token was read again, so that of a text that ended at its maximum the last
    token has none: the library does not voice it either.

    Attributes:
        ids: int64, shape (text,): the text's tokens that have states, its end not included.
        prompt_embeds, prompt_hidden: shape (tokens, hidden size): the thinker's input embeddings, media in their place,
            and the states that the talker listens to.
        text_embeds, text_hidden: the same of the text, shape (text, hidden size).
    """

    prompt: Prompt
    ids: torch.Tensor
    prompt_embeds: torch.Tensor
    prompt_hidden: torch.Tensor
    text_embeds: torch.Tensor
    text_hidden: torch.Tensor
