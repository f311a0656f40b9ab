"""SpeechTokenizer: 16 kHz speech to eight levels of codes, 50 frames per second, and back.

A SEANet encoder and decoder as in EnCodec (arXiv:2210.13438), with a residual quantizer whose level 0 is semantic
(arXiv:2308.16692).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from omnigap_services.torch_utils.device import Placement, full_float32
from omnigap_services.torch_utils.raw_checkpoint import load_tensors, read_tensors, wrong

FILES = ("config.json", "ckpt.dev")
"""Files of the folder that the loader reads; they are part of the identity of the weights."""

# The projection to HuBERT's features, and the statistics of the codebooks: training reads them, decoding does not.
_UNUSED = ("transform.*", "*._codebook.inited", "*._codebook.cluster_size", "*._codebook.embed_avg")

_KERNEL = 7


class CodecConfig(BaseModel):
    """config.json of the codec; keys that only training reads are ignored. Defaults: the published model's."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    n_filters: PositiveInt = 64
    strides: tuple[PositiveInt, ...] = Field(default=(8, 5, 4, 2), min_length=1)
    dimension: PositiveInt = 1024
    bidirectional: bool = True
    dilation_base: PositiveInt = 2
    residual_kernel_size: PositiveInt = 3
    n_residual_layers: PositiveInt = 1
    lstm_layers: PositiveInt = 2
    activation: Literal["ELU", "Snake"] = "ELU"
    codebook_size: PositiveInt = 1024
    n_q: PositiveInt = 8
    sample_rate: PositiveInt = 16_000


class SpeechTokenizer(nn.Module):
    """The codec; always computed in float32.

    Attributes:
        sample_rate: Hz of the waves.
        hop_length: samples per frame.
        levels: number of residual quantizers; level 0 is the semantic one.
        codebook_size: ids per level.
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.sample_rate = config.sample_rate
        self.hop_length = prod(config.strides)
        self.levels = config.n_q
        self.codebook_size = config.codebook_size
        self.encoder = nn.ModuleDict({"model": _encoder(config)})
        self.decoder = nn.ModuleDict({"model": _decoder(config)})
        shape = (config.codebook_size, config.dimension)
        self.codebooks = nn.ParameterList(nn.Parameter(torch.empty(shape)) for _ in range(config.n_q))

    @torch.inference_mode()
    def encode(self, waves: Tensor) -> Tensor:
        """Codes of waves of one length.

        Args:
            waves: float, shape (batch, 1, samples), -1 to 1.

        Returns:
            int64, shape (levels, batch, frames); frames = ceil(samples / hop_length).
        """
        batch, _, samples = waves.shape
        if not samples:
            return torch.zeros(self.levels, batch, 0, dtype=torch.int64, device=self.codebooks[0].device)
        with full_float32():
            hidden = self.encoder["model"](waves.to(self.codebooks[0]))
            residual = hidden.transpose(1, 2).reshape(-1, hidden.shape[1])
            codes = []
            for codebook in self.codebooks:
                # Summed in the order of the original: near ties fall the same way.
                distances = residual.pow(2).sum(1, keepdim=True) - 2 * residual @ codebook.t() + codebook.pow(2).sum(1)
                nearest = distances.argmin(dim=1)
                residual = residual - codebook[nearest]
                codes.append(nearest.view(batch, -1))
        return torch.stack(codes)

    def encode_each(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Codes of clips of any lengths, shape (samples,) each; they do not depend on the other clips.

        Returns:
            One int64 tensor per clip, shape (levels, frames).
        """
        # One by one: the convolutions reflect a clip at its end and the LSTM reads it from there, so padding would
        # change codes far from the end.
        return [self.encode(clip.view(1, 1, -1))[:, 0] for clip in clips]

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """Waves of codes of shape (levels, batch, frames): float32, shape (batch, 1, frames * hop_length)."""
        _, batch, frames = codes.shape
        if not frames:
            return torch.zeros(batch, 1, 0, device=self.codebooks[0].device)
        with full_float32():
            ids = codes.to(self.codebooks[0].device)
            hidden = sum(codebook[level] for codebook, level in zip(self.codebooks, ids, strict=True))
            waves: Tensor = self.decoder["model"](hidden.transpose(1, 2))
        return waves[..., : frames * self.hop_length]


def load_speech_tokenizer(service: str, option: str, folder: Path, placement: Placement) -> SpeechTokenizer:
    """Loads the codec from a folder with config.json and ckpt.dev.

    Args:
        option: the option that names the folder, for messages.

    Raises:
        OptionsError: a file is missing or unreadable, or its tensors are not those of the config.
    """
    config_file, weights = (folder / name for name in FILES)
    try:
        config = CodecConfig.model_validate_json(config_file.read_bytes())
    except OSError as error:
        text = f"is {str(folder)!r}, whose config.json can't be read ({error.strerror}): name the folder of the codec"
        raise wrong(service, option, text) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        text = f"is {str(folder)!r}, in whose config.json {where!r} is {first.get('input')!r}: {first['msg']}"
        raise wrong(service, option, text) from error
    tensors = module_names(read_tensors(service, option, weights))
    # Without initial values, which would all be replaced.
    with torch.device("meta"):
        model = SpeechTokenizer(config)
    model.to_empty(device="cpu")
    load_tensors(model, tensors, f"service {service}: option {option!r}: {weights}", _UNUSED)
    model.to(placement.device).eval()
    return model


def module_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of ckpt.dev under the names of the module, with weight norm applied."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(".weight_g"):
            continue
        if name.endswith(".weight_v") and (scale := tensors.get(f"{name.removesuffix('_v')}_g")) is not None:
            name, tensor = name.removesuffix("_v"), torch._weight_norm(tensor.float(), scale.float(), 0)
        name = re.sub(r"\.(conv|convtr)\.\1\.", r".\1.", name)
        found[re.sub(r"^quantizer\.vq\.layers\.(\d+)\._codebook\.embed$", r"codebooks.\1", name)] = tensor
    return found


def _encoder(config: CodecConfig) -> nn.Sequential:
    channels = config.n_filters
    layers: list[nn.Module] = [_Conv(1, channels, _KERNEL)]
    for ratio in reversed(config.strides):
        layers += [_Residual(config, channels, number) for number in range(config.n_residual_layers)]
        layers += [_activation(config, channels), _Conv(channels, 2 * channels, 2 * ratio, stride=ratio)]
        channels *= 2
    layers.append(_Lstm(channels, config.lstm_layers, config.bidirectional))
    channels *= 1 + config.bidirectional
    layers += [_activation(config, channels), _Conv(channels, config.dimension, _KERNEL)]
    return nn.Sequential(*layers)


def _decoder(config: CodecConfig) -> nn.Sequential:
    channels = config.n_filters * 2 ** len(config.strides)
    layers: list[nn.Module] = [
        _Conv(config.dimension, channels, _KERNEL),
        _Lstm(channels, config.lstm_layers, bidirectional=False),
    ]
    for ratio in config.strides:
        layers += [_activation(config, channels), _Upsampling(channels, ratio)]
        channels //= 2
        layers += [_Residual(config, channels, number) for number in range(config.n_residual_layers)]
    layers += [_activation(config, channels), _Conv(channels, 1, _KERNEL)]
    return nn.Sequential(*layers)


def _activation(config: CodecConfig, channels: int) -> nn.Module:
    return _Snake(channels) if config.activation == "Snake" else nn.ELU()


class _Snake(nn.Module):
    """x + sin²(αx)/α with an α per channel (arXiv:2006.08195); waves of shape (batch, channels, samples)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2)


class _Conv(nn.Module):
    """Convolution over samples that the wave's own reflection pads so that the last window is full."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, dilation=dilation)
        self.stride = stride
        self.padding = (kernel - 1) * dilation - (stride - 1)

    def forward(self, x: Tensor) -> Tensor:
        right = self.padding // 2
        left = self.padding - right
        right += -x.shape[-1] % self.stride
        # Reflection needs more samples than it adds: a shorter wave gets zeros first, which are cut off again.
        zeros = max(0, max(left, right) + 1 - x.shape[-1])
        padded = functional.pad(functional.pad(x, (0, zeros)), (left, right), mode="reflect")
        return self.conv(padded[..., : padded.shape[-1] - zeros])


class _Upsampling(nn.Module):
    """Transposed convolution to `ratio` times the samples and half the channels."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.convtr = nn.ConvTranspose1d(channels, channels // 2, 2 * ratio, ratio)
        self.right = ratio // 2
        self.left = ratio - self.right

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convtr(x)
        return y[..., self.left : y.shape[-1] - self.right]


class _Residual(nn.Module):
    """Two convolutions through half the channels, beside a convolution of kernel 1."""

    def __init__(self, config: CodecConfig, channels: int, number: int) -> None:
        super().__init__()
        narrow = channels // 2
        self.block = nn.Sequential(
            _activation(config, channels),
            _Conv(channels, narrow, config.residual_kernel_size, dilation=config.dilation_base**number),
            _activation(config, narrow),
            _Conv(narrow, channels, 1),
        )
        self.shortcut = _Conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.block(x)


class _Lstm(nn.Module):
    """LSTM over frames with a skip connection; (batch, channels, frames) to the same, or twice the channels."""

    def __init__(self, channels: int, layers: int, bidirectional: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, layers, bidirectional=bidirectional)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.permute(2, 0, 1)
        y, _ = self.lstm(frames)
        skip = frames.repeat(1, 1, 2) if self.lstm.bidirectional else frames
        return (y + skip).permute(1, 2, 0)
