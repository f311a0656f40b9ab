"""Whisper's encoder and decoder in plain torch, with the parameter names of transformers, and a cheap 30-second window.

faster-whisper pads every clip with zero features to 3,000 frames, and the encoder attends to all of them. Those 1,400
padded positions differ by their position only, so training draws a few of them and lets each count for many: the
attention logit of a drawn position is raised by log(padded / drawn).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .settings import AUDIO, ModelSettings

__all__ = ["MicroWhisper"]

_BORDER = 6
"""Frames of zeros after the longest clip of a batch: past the reach of both convolutions."""


def _sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's fixed encoder positions [length, channels]."""
    scale = torch.exp(-math.log(10_000) / (channels // 2 - 1) * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * scale[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None = None, causal: bool = False) -> Tensor:
        query, key, value = (
            projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projected in (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, cross: bool) -> None:
        super().__init__()
        self.self_attn = _Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        if cross:
            self.encoder_attn = _Attention(width, heads)
            self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        nn.init.zeros_(self.self_attn.out_proj.weight)
        nn.init.zeros_(self.fc2.weight)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, bias: Tensor | None, memory: Tensor | None = None) -> Tensor:
        normal = self.self_attn_layer_norm(x)
        if memory is None:
            x = x + self.self_attn(normal, normal, bias)
        else:
            x = x + self.self_attn(normal, normal, causal=True)
            x = x + self.encoder_attn(self.encoder_attn_layer_norm(x), memory, bias)
        return x + self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x))))


class _Encoder(nn.Module):
    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        width = settings.width
        self.conv1 = nn.Conv1d(AUDIO.feature_size, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding.from_pretrained(_sinusoids(settings.source_positions, width))
        self.layers = nn.ModuleList(_Layer(width, settings.heads, cross=False) for _ in range(settings.encoder_layers))
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, drawn: int) -> tuple[Tensor, Tensor | None]:
        positions = self.embed_positions.weight
        features = functional.pad(features, (0, _BORDER + features.shape[2] % 2)) if drawn else features
        hidden = functional.gelu(self.conv2(functional.gelu(self.conv1(features)))).transpose(1, 2)
        bias = None
        if drawn:
            # The last position sees the end of the padded batch, the one before it only padding.
            padding, hidden = hidden[:, -2:-1], hidden[:, :-1]
            length, padded = hidden.shape[1], len(positions) - hidden.shape[1]
            steps = (torch.arange(drawn) + torch.rand(drawn)) * (padded / drawn)
            chosen = (length + steps.long()).clamp(max=len(positions) - 1)
            hidden = torch.cat([hidden + positions[:length], padding + positions[chosen]], dim=1)
            bias = torch.zeros(1, 1, 1, hidden.shape[1])
            bias[..., length:] = math.log(padded / drawn)
        else:
            hidden = hidden + positions[: hidden.shape[1]]
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return self.layer_norm(hidden), bias


class _Decoder(nn.Module):
    def __init__(self, settings: ModelSettings, tokens: int) -> None:
        super().__init__()
        width = settings.width
        self.trained = settings.vocabulary + settings.special_tokens
        self.embed_tokens = nn.Embedding(tokens, width)
        self.embed_positions = nn.Embedding(settings.target_positions, width)
        self.layers = nn.ModuleList(_Layer(width, settings.heads, cross=True) for _ in range(settings.decoder_layers))
        self.layer_norm = nn.LayerNorm(width)
        nn.init.normal_(self.embed_tokens.weight, std=0.02)
        nn.init.normal_(self.embed_positions.weight, std=0.01)

    def forward(self, tokens: Tensor, memory: Tensor, bias: Tensor | None) -> Tensor:
        hidden = self.embed_tokens(tokens) + self.embed_positions.weight[: tokens.shape[1]]
        for layer in self.layers:
            hidden = layer(hidden, bias, memory)
        return functional.linear(self.layer_norm(hidden), self.embed_tokens.weight[: self.trained])


class MicroWhisper(nn.Module):
    """Whisper, with a CTC head on the encoder that only training uses."""

    def __init__(self, settings: ModelSettings, tokens: int) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"encoder": _Encoder(settings), "decoder": _Decoder(settings, tokens)})
        self.ctc = nn.Linear(settings.width, settings.vocabulary + 1)

    def encode(self, features: Tensor, drawn: int = 0) -> tuple[Tensor, Tensor | None]:
        """Hidden states of zero-padded `features` [batch, 80, frames], and the attention bias of their positions.

        `drawn` padded positions represent the rest of the window; 0 takes the features as the whole window.
        """
        states, bias = self.model["encoder"](features, drawn)
        return states, bias

    def decode(self, tokens: Tensor, states: Tensor, bias: Tensor | None) -> Tensor:
        """Next-token logits [batch, length, text and special tokens]; timestamps are never trained."""
        logits: Tensor = self.model["decoder"](tokens, states, bias)
        return logits
