"""SoundStorm of the authors of SpeechTokenizer: semantic codes to the seven acoustic levels of the same frames.

A conformer that fills masked codes in parallel (arXiv:2305.09636); the confidence schedule is MaskGIT's
(arXiv:2202.04200).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from omnigap_services.torch_utils.checkpoint import shortened
from omnigap_services.torch_utils.device import Placement, full_float32
from omnigap_services.torch_utils.raw_checkpoint import load_tensors, read_tensors, sizes_beside, wrong

# Of the published model; the tensors don't determine it.
_HEADS = 8

# Share of the logits that sampling drops.
_DROPPED = 0.7

# Parts of names in the files, and of this module's. The convolution has two: of the copy of the repository that AnyGPT
# bundles, whose names its checkpoint has, and of the stand-alone repository.
NAMES = (
    ("net.code_embeds.", "code_embeds."),
    ("net.conformer.layers.", "blocks."),
    ("net.heads.0.", "heads."),
    ("net.to_logits.0.", "logits.norm."),
    ("net.to_logits.2.", "logits."),
    *((f".{part}.fn.norm.", f".{part}.0.") for part in ("ff1", "ff2")),
    *((f".{part}.fn.fn.net.0.", f".{part}.1.") for part in ("ff1", "ff2")),
    *((f".{part}.fn.fn.net.3.", f".{part}.3.") for part in ("ff1", "ff2")),
    (".attn.fn.", ".attn."),
    (".conv.net1.0.", ".conv.norm."),
    (".conv.net1.2.", ".conv.widen."),
    (".conv.ds_conv.conv.", ".conv.depthwise."),
    (".conv.net2.1.", ".conv."),
    (".conv.net2.2.", ".conv.narrow."),
    (".conv.net.0.", ".conv.norm."),
    (".conv.net.2.", ".conv.widen."),
    (".conv.net.4.conv.", ".conv.depthwise."),
    (".conv.net.6.", ".conv."),
    (".conv.net.7.", ".conv.narrow."),
)


@dataclass(frozen=True, slots=True)
class SoundStormSizes:
    """Sizes of the model; all but `heads` are those of the tensors.

    Attributes:
        levels: acoustic levels.
        head_width: channels per head of the attention.
        expansion: channels of the convolution module.
    """

    semantic_size: int
    codebook_size: int
    levels: int
    width: int
    depth: int
    heads: int
    head_width: int
    feed_forward: int
    expansion: int
    kernel: int


class SoundStorm(nn.Module):
    """The conformer and its decoding; always computed in float32.

    Attributes:
        levels: acoustic levels, 7.
        codebook_size: ids per level.
        semantic_size: ids of the semantic level.
    """

    def __init__(self, sizes: SoundStormSizes) -> None:
        super().__init__()
        self.levels = sizes.levels
        self.codebook_size = sizes.codebook_size
        self.semantic_size = sizes.semantic_size
        self.head_width = sizes.head_width
        self.semantic_token_emb = nn.Embedding(sizes.semantic_size, sizes.width)
        # One id more per level: the mask.
        self.code_embeds = nn.Embedding(sizes.levels * (sizes.codebook_size + 1), sizes.width)
        self.blocks = nn.ModuleList(_Block(sizes) for _ in range(sizes.depth))
        self.heads = nn.Linear(sizes.width, sizes.levels * sizes.width)
        self.logits = _Logits(sizes)

    def forward(self, codes: Tensor, condition: Tensor) -> Tensor:
        """Logits of every code, shape (frames, levels, codebook size).

        Args:
            codes: shape (frames, levels); `codebook_size` where a code is masked.
            condition: embeddings of the semantic codes, shape (frames, width).
        """
        offsets = torch.arange(self.levels, device=codes.device) * (self.codebook_size + 1)
        x = self.code_embeds(codes + offsets).sum(dim=1) + condition
        angles = _rotary_angles(len(codes), self.head_width, codes.device)
        for block in self.blocks:
            x = block(x, angles)
        return self.logits(self.heads(x).view(len(codes), self.levels, -1))

    @torch.inference_mode()
    def generate(self, semantic: Tensor, seed: int, steps: int = 3, prompt: Tensor | None = None) -> Tensor:
        """All levels of one clip. The draws depend on the seed only, and are the same on every device.

        Args:
            semantic: int64, shape (1, frames), at least one frame.
            seed: of the draws, which choose the voice if there is no prompt.
            steps: passes over the first acoustic level after the initial one; AnyGPT's chat uses 3.
            prompt: codes of a clip whose voice is imitated, shape (1 + levels, prompt frames).

        Returns:
            int64, shape (1 + levels, 1, frames): the semantic codes, then the acoustic ones.

        Raises:
            ValueError: no frame, or an id that is not of the semantic level.
        """
        device = self.semantic_token_emb.weight.device
        ids = semantic.reshape(-1).to(device)
        if not ids.numel() or int(ids.min()) < 0 or int(ids.max()) >= self.semantic_size:
            raise ValueError(f"semantic codes are one or more ids from 0 to {self.semantic_size - 1}")
        frames = len(ids)
        codes = torch.full((frames, self.levels), self.codebook_size, device=device)
        # Only codes after the prompt may be masked again.
        free = torch.ones_like(codes, dtype=torch.bool)
        if prompt is not None:
            voice = prompt.to(device)
            ids = torch.cat([voice[0], ids])
            codes = torch.cat([voice[1:].t(), codes])
            free = torch.cat([torch.zeros_like(voice[1:].t(), dtype=torch.bool), free])
        with full_float32():
            condition = self.semantic_token_emb(ids)
            codes = self._first_level(codes, free, condition, steps, torch.Generator().manual_seed(seed % 2**63))
            for level in range(1, self.levels):
                best = self(codes, condition).argmax(dim=-1)
                # As in the original, the levels of a prompt above its first are replaced too.
                codes = torch.cat([codes[:, :level], best[:, level:]], dim=1)
        acoustic = codes[-frames:].t()
        return torch.cat([ids[None, -frames:], acoustic])[:, None]

    def _first_level(
        self, codes: Tensor, free: Tensor, condition: Tensor, steps: int, draws: torch.Generator
    ) -> Tensor:
        """Fills the first level in passes that keep the most probable codes; the last fills the other levels too.

        Args:
            free: codes that may be masked, shape (frames, levels).
        """
        # In float32 on the CPU, where the original's cosines round to the same counts.
        counts = torch.cos(torch.linspace(0.0, 1.0, steps + 1) * math.pi / 2) * len(codes)
        masked = free
        for step, count in enumerate(counts.long().tolist()):
            logits = self(codes, condition)
            if not count:
                codes = torch.where(masked, logits.argmax(dim=-1), codes)
                continue
            logits = _kept(logits)
            sampled = _sampled(logits, step / steps, draws)
            codes = torch.where(masked, sampled, codes)
            doubt = 1 - logits.softmax(dim=-1).gather(-1, sampled[..., None]).flatten()
            # Levels are ranked together, although only the first is refined: so did the original.
            rank = doubt.argsort(descending=True, stable=True).argsort()
            masked = (rank < count).view_as(free).clone()
            masked[:, 1:] = True
            masked &= free
            codes = codes.masked_fill(masked, self.codebook_size)
        return codes


def _kept(logits: Tensor) -> Tensor:
    """The highest logits of each place; the others are minus infinity."""
    values, places = logits.topk(math.ceil((1 - _DROPPED) * logits.shape[-1]), dim=-1)
    return torch.full_like(logits, -math.inf).scatter_(-1, places, values)


def _sampled(logits: Tensor, temperature: float, draws: torch.Generator) -> Tensor:
    """Ids drawn with Gumbel noise; temperature 0 is the best one."""
    uniform = torch.rand(logits.shape, generator=draws).to(logits.device)
    noise = -torch.log(-torch.log(uniform + 1e-10) + 1e-10)
    return (logits / max(temperature, 1e-10) + noise).argmax(dim=-1)


def soundstorm_file(service: str, option: str, path: Path) -> Path:
    """The file of weights: the path itself, or the only .pt file in the folder that it names.

    Raises:
        OptionsError: there is no such file, or more than one.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.pt"))
    if len(found) != 1:
        count = (
            f"has {len(found)} .pt files ({shortened([file.name for file in found])})" if found else "has no .pt file"
        )
        raise wrong(service, option, f"is {str(path)!r}, which {count}: name the file")
    return found[0]


def load_soundstorm(service: str, option: str, path: Path, placement: Placement) -> SoundStorm:
    """Loads SoundStorm from a .pt file, or from a folder with exactly one.

    Sizes are those of the tensors; the number of heads is `heads` in a config.json beside the file, or the published 8.

    Args:
        option: the option that names the file, for messages.

    Raises:
        OptionsError: the file is missing or unreadable, or its tensors are not SoundStorm's.
    """
    file = soundstorm_file(service, option, path)
    tensors = module_names(read_tensors(service, option, file))
    heads = sizes_beside(service, option, file, {"heads": _HEADS})["heads"]
    try:
        sizes = _sizes(tensors, heads)
    except (KeyError, ValueError, IndexError) as error:
        text = f"is {file.name}, which is no checkpoint of SoundStorm ({error}): name speechtokenizer_soundstorm_mls.pt"
        raise wrong(service, option, text) from error
    # Without initial values, which would all be replaced.
    with torch.device("meta"):
        model = SoundStorm(sizes)
    model.to_empty(device="cpu")
    load_tensors(model, tensors, f"service {service}: option {option!r}: {file}")
    model.to(placement.device).eval()
    return model


def module_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a .pt file under the names of the module."""
    return {_own_name(name): tensor for name, tensor in tensors.items()}


def _own_name(name: str) -> str:
    for theirs, own in NAMES:
        name = name.replace(theirs, own)
    return name


def _sizes(tensors: Mapping[str, Tensor], heads: int) -> SoundStormSizes:
    """Sizes of the model with these tensors; raises KeyError for a missing one, and ValueError."""
    levels, _, codebook_size = tensors["logits.weight"].shape
    semantic_size, width = tensors["semantic_token_emb.weight"].shape
    inner = tensors["blocks.0.attn.to_q.weight"].shape[0]
    expansion, _, kernel = tensors["blocks.0.conv.depthwise.weight"].shape
    if inner % (2 * heads):
        raise ValueError(f"{heads} heads do not divide {inner} channels of the attention")
    return SoundStormSizes(
        semantic_size=semantic_size,
        codebook_size=codebook_size,
        levels=levels,
        width=width,
        depth=1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks.")),
        heads=heads,
        head_width=inner // heads,
        feed_forward=tensors["blocks.0.ff1.1.weight"].shape[0],
        expansion=expansion,
        kernel=kernel,
    )


class _Block(nn.Module):
    """Conformer block (arXiv:2005.08100): half a feed-forward, attention, convolution, half a feed-forward."""

    def __init__(self, sizes: SoundStormSizes) -> None:
        super().__init__()
        self.ff1 = _feed_forward(sizes)
        self.attn = _Attention(sizes)
        self.conv = _Convolution(sizes)
        self.ff2 = _feed_forward(sizes)
        self.post_norm = nn.LayerNorm(sizes.width)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        x = x + 0.5 * self.ff1(x)
        x = x + self.attn(x, angles)
        x = x + self.conv(x)
        return self.post_norm(x + 0.5 * self.ff2(x))


def _feed_forward(sizes: SoundStormSizes) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(sizes.width),
        nn.Linear(sizes.width, sizes.feed_forward),
        nn.SiLU(),
        nn.Linear(sizes.feed_forward, sizes.width),
    )


class _Attention(nn.Module):
    """Attention among all frames, with rotary positions (arXiv:2104.09864)."""

    def __init__(self, sizes: SoundStormSizes) -> None:
        super().__init__()
        inner = sizes.heads * sizes.head_width
        self.heads = sizes.heads
        self.norm = nn.LayerNorm(sizes.width)
        self.to_q = nn.Linear(sizes.width, inner, bias=False)
        self.to_kv = nn.Linear(sizes.width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, sizes.width)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        x = self.norm(x)
        projected = torch.cat([self.to_q(x), self.to_kv(x)], dim=-1)
        query, key, value = projected.view(len(x), 3, self.heads, -1).permute(1, 2, 0, 3)
        mixed = functional.scaled_dot_product_attention(_rotated(query, angles), _rotated(key, angles), value)
        return self.to_out(mixed.transpose(0, 1).reshape(len(x), -1))


def _rotary_angles(frames: int, head_width: int, device: torch.device) -> Tensor:
    """Angles of the rotary positions, shape (frames, head width)."""
    frequencies = 1.0 / 10_000 ** (torch.arange(0, head_width, 2, device=device).float() / head_width)
    angles = torch.outer(torch.arange(frames, device=device).float(), frequencies)
    return torch.cat([angles, angles], dim=-1)


def _rotated(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-second, first], dim=-1) * angles.sin()


class _Convolution(nn.Module):
    """The conformer's convolution module over frames, which keeps their number."""

    def __init__(self, sizes: SoundStormSizes) -> None:
        super().__init__()
        left = sizes.kernel // 2
        self.padding = (left, sizes.kernel - 1 - left)
        self.norm = nn.LayerNorm(sizes.width)
        self.widen = nn.Conv1d(sizes.width, 2 * sizes.expansion, 1)
        self.depthwise = nn.Conv1d(sizes.expansion, sizes.expansion, sizes.kernel, groups=sizes.expansion)
        self.gamma = nn.Parameter(torch.ones(1, sizes.expansion, 1))
        self.narrow = nn.Conv1d(sizes.expansion, sizes.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.glu(self.widen(self.norm(x).t()[None]), dim=1)
        y = functional.silu(self.depthwise(functional.pad(y, self.padding)))
        # Normalised over channels, and not as LayerNorm does: the variance has a lower bound.
        variance, mean = torch.var_mean(y, dim=1, correction=0, keepdim=True)
        y = (y - mean) * variance.clamp(min=1e-6).rsqrt() * self.gamma
        return self.narrow(y)[0].t()


class _Logits(nn.Module):
    """A linear layer per level: (frames, levels, width) to (frames, levels, codebook size)."""

    def __init__(self, sizes: SoundStormSizes) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sizes.width)
        self.weight = nn.Parameter(torch.empty(sizes.levels, sizes.width, sizes.codebook_size))
        self.bias = nn.Parameter(torch.zeros(1, 1, sizes.levels, sizes.codebook_size))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nqd,qdl->nql", self.norm(x), self.weight) + self.bias[0]
