"""SEED-2's image encoder: a picture to 32 ids of a codebook of 8192.

EVA's ViT-g and BLIP-2's Q-Former (arXiv:2301.12597), whose queries attend causally, and a vector quantizer
(arXiv:2310.01218). Both transformers are those of the library, under its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from omnigap_services.torch_utils.checkpoint import shortened
from omnigap_services.torch_utils.device import Placement, full_float32
from omnigap_services.torch_utils.raw_checkpoint import load_tensors, read_tensors, sizes_beside, wrong
from omnigap_services.torch_utils.versions import let_torchvision_import

if TYPE_CHECKING:
    from transformers import Blip2QFormerConfig, Blip2VisionConfig

FILE = "seed_quantizer.pt"
IMAGE_SIZE = 224

# CLIP's, of the three channels.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)

# Of ViT-g, without the last of EVA's 40 layers, and of BERT-base: the tensors don't determine the heads, nor how many
# layers a file lacks.
_PUBLISHED = {"vision_layers": 39, "vision_heads": 16, "qformer_heads": 12}

# What turns ids into pictures, and the parts of BERT that read text.
_UNUSED = (
    *("decode_task_layer.*", "pos_embed", "blocks.*", "pos_embed_image", "blocks_image.*", "image_down.*"),
    *("distill_image_proj.*", "reverse_tokens", "Reverse_Qformer.*", "Qformer.cls.*"),
    *(f"Qformer.bert.embeddings.{name}" for name in ("position_ids", "word_embeddings.*", "position_embeddings.*")),
    *(f"qformer.encoder.layer.{digits}.intermediate.*" for digits in ("[0-9]", "[0-9][0-9]")),
    *(f"qformer.encoder.layer.{digits}.output.*" for digits in ("[0-9]", "[0-9][0-9]")),
)

_VISION = "visual_encoder."
_VISION_LAYER = (
    *(
        f"{part}.{kind}"
        for part in ("norm1", "norm2", "attn.proj", "mlp.fc1", "mlp.fc2")
        for kind in ("weight", "bias")
    ),
    *("attn.qkv.weight", "attn.q_bias", "attn.v_bias"),
)

# Parts of names in the files, and of this module's; the longer of two that overlap comes first.
_NAMES = (
    ("visual_encoder.cls_token", "vision.embeddings.class_embedding"),
    ("visual_encoder.pos_embed", "vision.embeddings.position_embedding"),
    ("visual_encoder.patch_embed.proj.", "vision.embeddings.patch_embedding."),
    ("visual_encoder.blocks.", "vision.encoder.layers."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    (".attn.proj.", ".self_attn.projection."),
    (".attn.", ".self_attn."),
    ("ln_vision.", "vision.post_layernorm."),
    ("Qformer.bert.embeddings.LayerNorm.", "qformer.layernorm."),
    ("Qformer.bert.encoder.", "qformer.encoder."),
    ("attention.self.", "attention.attention."),
    ("encode_task_layer.", "task."),
    ("quantize.embedding.weight", "codebook"),
)


@dataclass(frozen=True, slots=True)
class SeedSizes:
    """The library's configurations, and the sizes of the quantizer: ids, and channels of their vectors."""

    vision: Blip2VisionConfig
    qformer: Blip2QFormerConfig
    queries: int
    codebook_size: int
    code_width: int


class SeedEncoder(nn.Module):
    """ViT-g, a Q-Former whose queries attend causally, and the codebook; always computed in float32.

    Attributes:
        queries: ids per picture, 32.
        codebook_size: number of ids.
    """

    def __init__(self, sizes: SeedSizes) -> None:
        from transformers import Blip2QFormerModel, Blip2VisionModel

        super().__init__()
        width = sizes.qformer.hidden_size
        self.queries = sizes.queries
        self.codebook_size = sizes.codebook_size
        self.vision = Blip2VisionModel(sizes.vision)
        # The library gives this norm the epsilon of the ViT's other ones; BLIP-2's own has torch's default.
        self.vision.post_layernorm.eps = 1e-5
        self.query_tokens = nn.Parameter(torch.zeros(1, sizes.queries, width))
        self.qformer = Blip2QFormerModel(sizes.qformer)
        self.task = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, sizes.code_width))
        self.codebook = nn.Parameter(torch.zeros(sizes.codebook_size, sizes.code_width))

    def preprocess(self, image: Image.Image) -> Tensor:
        """The picture as pixels, float32, shape (3, 224, 224), CLIP's mean and deviation.

        The picture is squeezed to a square, as in training: its aspect ratio is lost, and nothing is cut off.
        """
        square = image.convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
        return (pixels - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_DEVIATION)[:, None, None]

    @torch.inference_mode()
    def encode(self, pixels: Tensor) -> Tensor:
        """Ids of pictures: pixels of shape (batch, 3, 224, 224) to int64 of shape (batch, 32)."""
        # One by one: in a batch rounding differs, and with a near tie a picture's ids would depend on the others.
        return torch.cat([self._nearest(self.features(pixels[number : number + 1])) for number in range(len(pixels))])

    def _nearest(self, features: Tensor) -> Tensor:
        flat, codebook = features.reshape(-1, features.shape[-1]), self.codebook
        # Squared distances, summed in the order of the original: near ties fall the same way.
        distances = flat.pow(2).sum(1, keepdim=True) + codebook.pow(2).sum(1) - 2 * flat @ codebook.t()
        return distances.argmin(dim=1).view(len(features), self.queries)

    @torch.inference_mode()
    def features(self, pixels: Tensor, causal: bool = True) -> Tensor:
        """What the codebook quantizes: shape (batch, 32, channels of a code).

        Args:
            causal: whether a query attends only to itself and those before it, as SEED was trained.
        """
        mask = None
        if causal:
            # With four dimensions: the library makes masks of two attend in both directions.
            mask = torch.ones(self.queries, self.queries, dtype=torch.bool, device=self.codebook.device).tril()
            mask = mask.expand(len(pixels), 1, -1, -1)
        queries = self.query_tokens.expand(len(pixels), -1, -1)
        with full_float32():
            seen = self.vision(pixels.to(self.codebook)).last_hidden_state
            hidden = self.qformer(query_embeds=queries, attention_mask=mask, encoder_hidden_states=seen)
            found: Tensor = self.task(hidden.last_hidden_state)
        return found


def load_seed_encoder(
    service: str, option: str, path: Path, placement: Placement, vision: Path | None = None, vision_option: str = ""
) -> SeedEncoder:
    """Loads the encoder from seed_quantizer.pt.

    Args:
        option: the option that names the file, for messages.
        path: the file, or a folder that contains seed_quantizer.pt.
        vision: eva_vit_g.pth, for a file that lacks tensors of the vision encoder.
        vision_option: the option that names it.

    Raises:
        OptionsError: a file is missing or unreadable, or the tensors are not SEED's or not complete.
    """
    let_torchvision_import()
    file = path / FILE if path.is_dir() else path
    tensors = read_tensors(service, option, file)
    published = sizes_beside(service, option, file, _PUBLISHED)
    lacking = _lacking_vision(tensors, published["vision_layers"])
    if vision is not None:
        if not lacking:
            text = f"is {str(vision)!r}, but {file.name} has the whole vision encoder: remove it"
            raise wrong(service, vision_option, text)
        eva = read_tensors(service, vision_option, vision)
        tensors |= {name: eva[own] for name in lacking if (own := name.removeprefix(_VISION)) in eva}
        lacking = _lacking_vision(tensors, published["vision_layers"])
    if lacking:
        also = " and neither has eva_vit_g.pth" if vision is not None else f": name eva_vit_g.pth in {vision_option!r}"
        text = (
            f"is {str(file)!r}, which lacks {len(lacking)} tensors of the vision encoder ({shortened(lacking)}){also}"
        )
        raise wrong(service, option, text)
    try:
        sizes = _sizes(tensors, published)
    except (KeyError, ValueError) as error:
        raise wrong(
            service, option, f"is {str(file)!r}, which is no checkpoint of SEED-2's encoder: {error}"
        ) from error
    # Without initial values, which would all be replaced: ViT-g has a billion.
    with torch.device("meta"):
        model = SeedEncoder(sizes)
    model.to_empty(device="cpu")
    load_tensors(model, module_names(tensors), f"service {service}: option {option!r}: {file}", _UNUSED)
    model.to(placement.device).eval()
    return model


def module_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of seed_quantizer.pt under the names of the module, with one bias for query, key and value."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(".attn.v_bias"):
            continue
        if name.endswith(".attn.q_bias"):
            value = tensors[f"{name.removesuffix('q_bias')}v_bias"]
            name, tensor = f"{name.removesuffix('q_bias')}qkv.bias", torch.cat([tensor, torch.zeros_like(value), value])
        if not name.startswith(("blocks.", "blocks_image.")):
            for theirs, own in _NAMES:
                name = name.replace(theirs, own)
        found[name] = tensor
    return found


def _lacking_vision(tensors: Mapping[str, Tensor], layers: int) -> list[str]:
    """Tensors of the vision encoder that a file lacks."""
    wanted = [
        f"{_VISION}{name}" for name in ("cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias")
    ]
    wanted += [f"{_VISION}blocks.{layer}.{name}" for layer in range(layers) for name in _VISION_LAYER]
    return [name for name in wanted if name not in tensors]


def _sizes(tensors: Mapping[str, Tensor], published: Mapping[str, int]) -> SeedSizes:
    """Sizes of the model with these tensors; raises KeyError for a missing one, and ValueError."""
    from transformers import Blip2QFormerConfig, Blip2VisionConfig

    positions, width = tensors[f"{_VISION}pos_embed"].shape[-2:]
    patch = tensors[f"{_VISION}patch_embed.proj.weight"].shape[-1]
    _, queries, hidden = tensors["query_tokens"].shape
    codebook_size, code_width = tensors["quantize.embedding.weight"].shape
    if patch * isqrt(positions - 1) != IMAGE_SIZE:
        raise ValueError(
            f"its {positions} positions of {patch} pixels are not those of {IMAGE_SIZE}x{IMAGE_SIZE} pixels"
        )
    for heads, channels in (("vision_heads", width), ("qformer_heads", hidden)):
        if channels % published[heads]:
            raise ValueError(f"{published[heads]} {heads} do not divide {channels} channels")
    layer = "Qformer.bert.encoder.layer."
    layers = 1 + max(int(name.split(".")[4]) for name in tensors if name.startswith(layer))
    crossing = [number for number in range(layers) if f"{layer}{number}.crossattention.self.key.weight" in tensors]
    every = crossing[1] if len(crossing) > 1 else layers
    if crossing != list(range(0, layers, every)):
        raise ValueError(f"its Q-Former has cross-attention in layers {crossing} of {layers}, not in every n-th")
    vision = Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=tensors[f"{_VISION}blocks.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=published["vision_layers"],
        num_attention_heads=published["vision_heads"],
        patch_size=patch,
        image_size=IMAGE_SIZE,
        attn_implementation="sdpa",
    )
    qformer = Blip2QFormerConfig(
        hidden_size=hidden,
        intermediate_size=tensors[f"{layer}0.intermediate_query.dense.weight"].shape[0],
        num_hidden_layers=layers,
        num_attention_heads=published["qformer_heads"],
        cross_attention_frequency=every,
        encoder_hidden_size=width,
        attn_implementation="sdpa",
    )
    return SeedSizes(vision, qformer, queries, codebook_size, code_width)
