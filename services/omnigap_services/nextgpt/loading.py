"""Loads NExT-GPT: Vicuna with the delta's LoRA weights and tokens merged into it, the projection, and ImageBind."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from omnigap.digest import sha256_hex
from omnigap.media import AudioClip
from omnigap_services.nextgpt.imagebind import Tower, TowerSizes, audio_features, image_features
from omnigap_services.nextgpt.options import SERVICE, NextgptOptions
from omnigap_services.nextgpt.prompt import VOCABULARY_FILES, Media, Vocabulary
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, check_not_offloaded, find_weights, load_whole, shortened
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.raw_checkpoint import find_files, load_tensors, only_file, read_tensors, wrong
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

DELTA, IMAGEBIND = "pytorch_model.pt", "imagebind_huge.pth"
_EMBEDDINGS, _HEAD = "model.embed_tokens.weight", "lm_head.weight"

# Of both training runs that the delta may come from: with LoRA around the model (the last one), and without.
_LLM = re.compile(r"^llama_model\.(base_model\.model\.)?")
_LORA = re.compile(r"(model\.layers\.\d+\.self_attn\.[qkvo]_proj)\.lora_([AB])\.default\.weight")
# Layers that turn signal tokens into pictures, videos and sounds; a second name of the embeddings.
_DELTA_UNUSED = ("gen_text_hidden_fcs*", "input_embeddings.weight")
_DEFAULT_ALPHA = 32.0

# Tensors of ImageBind by its own names, and here.
_TOWER_KEYS = (
    (r"modality_preprocessors\.{m}\.rgbt_stem\.proj\.(?:1\.)?weight", "patches.weight"),
    (r"modality_preprocessors\.{m}\.rgbt_stem\.norm_layer\.(\w+)", r"patch_norm.\1"),
    (r"modality_preprocessors\.{m}\.cls_token", "cls_token"),
    (r"modality_preprocessors\.{m}\.pos_embedding_helper\.pos_embed", "positions"),
    (r"modality_trunks\.{m}\.pre_transformer_layer\.0\.(\w+)", r"token_norm.\1"),
    (r"modality_trunks\.{m}\.blocks\.(\d+)\.(?:mlp\.)?(.+)", r"blocks.\1.\2"),
    (r"modality_heads\.{m}\.0\.(\w+)", r"head_norm.\1"),
    (r"modality_heads\.{m}\.2\.weight", "head.weight"),
)
_OTHER_MODALITIES = ("text", "depth", "thermal", "imu")
_HEADS = {"vision": 16, "audio": 12}
_STRIDES = {"vision": 14, "audio": 10}


@dataclass(frozen=True, slots=True)
class Nextgpt:
    """The loaded parts.

    Attributes:
        llm: Vicuna with everything merged.
        projection: from ImageBind's vectors to the model's embeddings; in float32, as the towers.
        audio: None without `audio_control`.
        reads_images: False if the delta has no embeddings of the tokens around an image.
        revision: hash of the revisions of all files.
    """

    llm: Any
    vocabulary: Vocabulary
    projection: nn.Linear
    vision: Tower
    audio: Tower | None
    reads_images: bool
    letterbox: bool
    placement: Placement
    name: str
    source: str
    revision: str
    lora_alpha: float

    @property
    def context(self) -> int:
        """Positions of prompt and answer together."""
        return int(self.llm.config.max_position_embeddings)

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings of ids, shapes (n,) and (n, hidden)."""
        table = self.llm.get_input_embeddings()
        found: torch.Tensor = table(ids.to(table.weight.device))
        return found

    def vectors(self, media: Sequence[Media]) -> torch.Tensor:
        """One embedding each of images and clips, shape (n, hidden)."""
        # One by one: the vector of an image must not depend on the others of its batch.
        return torch.cat([self._vector(one) for one in media])

    def _vector(self, media: Media) -> torch.Tensor:
        device = self.projection.weight.device
        if isinstance(media, AudioClip):
            assert self.audio is not None, "a clip without audio_control"
            vector = self.audio(audio_features(media.samples).to(device)).mean(dim=0, keepdim=True)
        else:
            vector = self.vision(image_features(media, self.letterbox).to(device)[None])
        table = self.llm.get_input_embeddings().weight
        found: torch.Tensor = self.projection(vector).to(device=table.device, dtype=table.dtype)
        return found


def load_nextgpt(options: NextgptOptions) -> Nextgpt:
    """Loads all parts.

    Raises:
        OptionsError: a file or weights are missing, unknown or of other shapes.
        VersionError: an unsupported version of transformers.
    """
    check_transformers(SERVICE)
    # Before transformers, which imports torchvision: that would fail next to a CPU build of torch.
    let_torchvision_import()
    vicuna = find_weights(SERVICE, "vicuna", options.vicuna, options.vicuna_revision)
    beside = ("tokenizer.model", *VOCABULARY_FILES, "adapter_config.json")
    delta = find_files(SERVICE, "delta", options.delta, options.delta_revision, [DELTA], beside)
    encoder = find_files(SERVICE, "imagebind", options.imagebind, options.imagebind_revision, [IMAGEBIND])
    towers = load_towers(only_file(options.imagebind, encoder, IMAGEBIND), options.audio_control)
    vocabulary = _vocabulary(delta, vicuna)
    placement = place(options, SERVICE)
    llm = _llm(vicuna, placement, options, vocabulary)
    alpha = options.lora_alpha or _alpha(delta.folder)
    tensors = read_tensors(SERVICE, "delta", only_file(options.delta, delta, DELTA))
    projection, has_embeddings = _merge(llm, tensors, alpha, next(iter(towers.values())).head.out_features)
    # float32: one pass a question, whose rounding would be in every token of the answer.
    for part in (projection, *towers.values()):
        part.float().to(placement.device).eval().requires_grad_(False)
    return Nextgpt(
        llm=llm,
        vocabulary=vocabulary,
        projection=projection,
        vision=towers["vision"],
        audio=towers.get("audio"),
        reads_images=has_embeddings,
        letterbox=options.letterbox,
        placement=placement,
        name=delta.name,
        source=f"{delta.source}, {vicuna.source}, {encoder.source}",
        revision=f"sha256:{sha256_hex(' '.join((delta.revision, vicuna.revision, encoder.revision)).encode())}",
        lora_alpha=alpha,
    )


def _vocabulary(delta: Weights, vicuna: Weights) -> Vocabulary:
    """The tokenizer that was saved with the delta, or Vicuna's, to which the authors' code adds the same tokens."""
    for weights, option in ((delta, "delta"), (vicuna, "vicuna")):
        if (weights.folder / "tokenizer.model").is_file():
            return Vocabulary(weights.folder, option)
    raise wrong(SERVICE, "delta", f"is {delta.name!r}, and neither it nor {vicuna.name} has a tokenizer.model: add it")


def _llm(weights: Weights, placement: Placement, options: NextgptOptions, vocabulary: Vocabulary) -> Any:
    """Vicuna with rows for all tokens; new rows are 0."""
    from transformers import GenerationConfig, LlamaForCausalLM

    llm = load_whole(
        LlamaForCausalLM.from_pretrained,
        weights,
        SERVICE,
        "vicuna",
        options.allow_missing_weights,
        **placement.load_arguments(),
    ).eval()
    # What is merged into an offloaded weight would be lost.
    check_not_offloaded(llm, weights, SERVICE)
    rows = llm.get_input_embeddings().weight.shape[0]
    # The library would draw new rows at random, differently at every start.
    llm.resize_token_embeddings(len(vocabulary), mean_resizing=False)
    with torch.no_grad():
        for table in (llm.get_input_embeddings(), llm.get_output_embeddings()):
            table.weight[rows:] = 0
    # Only the options and the request decide how an answer is decoded. Added tokens ask for pictures, videos or sounds.
    llm.generation_config = GenerationConfig(
        eos_token_id=vocabulary.end, pad_token_id=vocabulary.end, suppress_tokens=sorted(vocabulary.added.values())
    )
    llm.requires_grad_(False)
    return llm


def _alpha(folder: Path) -> float:
    """`lora_alpha` of peft's own config beside the delta, or the authors' value: their code saves no config."""
    path = folder / "adapter_config.json"
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["lora_alpha"]) if path.is_file() else _DEFAULT_ALPHA
    except (ValueError, KeyError, TypeError) as error:
        raise wrong(
            SERVICE, "delta", f"has {path}, which has no number lora_alpha ({error}): set lora_alpha"
        ) from error


def _merge(llm: Any, tensors: Mapping[str, torch.Tensor], alpha: float, vector: int) -> tuple[nn.Linear, bool]:
    """Adds the delta to the language model.

    Returns:
        The projection, and whether the delta has embeddings of the added tokens.
    """
    who = f"service {SERVICE}: option 'delta': {DELTA}"
    named = {_LLM.sub("", name, count=1): tensor for name, tensor in tensors.items()}
    if len(named) < len(tensors):
        raise OptionsError(f"{who} has weights of the language model twice, with and without base_model: keep one set")
    lora = {match.groups(): named.pop(name) for name in list(named) if (match := _LORA.fullmatch(name))}
    if not lora:
        others = [name for name in tensors if "lora" in name] or list(tensors)
        raise OptionsError(
            f"{who} has no LoRA weights under the names of NExT-GPT's training (llama_model.base_model.model.model."
            f"layers.0.self_attn.q_proj.lora_A.default.weight, ...), but {shortened(others)}: rename them"
        )
    _merge_lora(llm, lora, alpha, who)
    # The model's own tables under their names, so that tensors are copied into them.
    holder = nn.ModuleDict({"llama_proj": nn.Linear(vector, llm.config.hidden_size)})
    for name, table in ((_EMBEDDINGS, llm.get_input_embeddings()), (_HEAD, llm.get_output_embeddings())):
        if name in named and named[name].dim() == 2 and len(named[name]) != len(table.weight):
            raise OptionsError(
                f"{who} has {len(named[name])} rows in {name}, but its tokenizer has {len(table.weight)} tokens: put"
                " the tokenizer's files that were saved with it beside it"
            )
    if has_embeddings := _EMBEDDINGS in named:
        holder["model"] = nn.ModuleDict({"embed_tokens": llm.get_input_embeddings()})
    if _HEAD in named:
        holder["lm_head"] = llm.get_output_embeddings()
    load_tensors(holder, named, who, unused=_DELTA_UNUSED)
    if not has_embeddings:
        _log.warning("%s has no embeddings of <Img> and </Img>: images can't be read", who)
    return holder["llama_proj"], has_embeddings


def _merge_lora(llm: Any, lora: Mapping[tuple[str, ...], torch.Tensor], alpha: float, who: str) -> None:
    """Adds alpha / r * B A to each weight, in float32. Hu et al. 2021 (arXiv 2106.09685), section 4.1."""
    layers = {layer for layer, _ in lora}
    wanted = {f"model.layers.{n}.self_attn.{p}_proj" for n in range(llm.config.num_hidden_layers) for p in "qkvo"}
    modules = dict(llm.named_modules())
    faults = [*(f"{layer} (no such layer)" for layer in sorted(layers - wanted)), *sorted(wanted - layers)]
    for layer in sorted(layers & wanted):
        down, up = lora.get((layer, "A")), lora.get((layer, "B"))
        if down is None or up is None:
            faults.append(f"{layer} (one of lora_A and lora_B)")
            continue
        weight = modules[layer].weight
        rank = down.shape[0]
        if down.shape != (rank, weight.shape[1]) or up.shape != (weight.shape[0], rank):
            faults.append(f"{layer} (shapes {tuple(down.shape)} and {tuple(up.shape)})")
            continue
        change = up.float().to(weight.device) @ down.float().to(weight.device)
        if not bool(torch.isfinite(change).all()):
            faults.append(f"{layer} (values that are not finite)")
            continue
        with torch.no_grad():
            weight.copy_(weight.float() + change * (alpha / rank))
    if faults:
        raise OptionsError(
            f"{who} does not fit the {llm.config.num_hidden_layers} layers of Vicuna: LoRA weights are missing or wrong"
            f" for {shortened(faults)}: name the Vicuna 7B v0 that it was made for, and download it again"
        )


def load_towers(path: Path, audio: bool) -> dict[str, Tower]:
    """The towers of the modalities that are used."""
    rest = read_tensors(SERVICE, "imagebind", path)
    used = ("vision", "audio") if audio else ("vision",)
    who = f"service {SERVICE}: option 'imagebind': {path.name}"
    own = {modality: _tower_tensors(rest, modality) for modality in used}
    # Everything else must be of a modality that is not used, or a scale of vectors, which NExT-GPT does not apply.
    others = [*_OTHER_MODALITIES, *(() if audio else ("audio",))]
    unused = ["modality_postprocessors.*", *(f"modality_*.{name}.*" for name in others)]
    towers = {modality: Tower(_sizes(own[modality], modality, who)) for modality in used}
    load_tensors(towers["vision"], {**own["vision"], **rest}, who, unused)
    if audio:
        load_tensors(towers["audio"], own["audio"], who)
    return towers


def _tower_tensors(tensors: dict[str, torch.Tensor], modality: str) -> dict[str, torch.Tensor]:
    """Takes the tensors of one modality out of the file's, under the names of `Tower`."""
    found = {}
    for pattern, replacement in _TOWER_KEYS:
        names = re.compile(pattern.format(m=modality))
        for name in [name for name in tensors if names.fullmatch(name)]:
            found[names.sub(replacement, name)] = tensors.pop(name)
    if (kernel := found.get("patches.weight")) is not None and kernel.dim() == 5:
        # An image is a video of two equal frames, so the slices of the kernel act as their sum.
        found["patches.weight"] = kernel.float().sum(dim=2)
    return found


def _sizes(tensors: Mapping[str, torch.Tensor], modality: str, who: str) -> TowerSizes:
    """Sizes from the shapes; heads and strides are those of ImageBind-huge."""
    needed = ("patches.weight", "positions", "blocks.0.fc1.weight", "head.weight")
    if missing := [name for name in needed if name not in tensors]:
        raise OptionsError(f"{who} lacks the {modality} tower (no {shortened(missing)}): download it again")
    kernel, positions, fc1, head = (tensors[name] for name in needed)
    heads, width = _HEADS[modality], kernel.shape[0]
    if kernel.dim() != 4 or positions.dim() != 3 or width % heads:
        shapes = f"{tuple(kernel.shape)} and {tuple(positions.shape)}"
        raise OptionsError(f"{who} has patches and positions of shapes {shapes}, which are not those of ImageBind-huge")
    return TowerSizes(
        channels=kernel.shape[1],
        patch=kernel.shape[2],
        stride=_STRIDES[modality],
        positions=positions.shape[1],
        width=width,
        hidden=fc1.shape[0],
        blocks=len({name.split(".")[1] for name in tensors if name.startswith("blocks.")}),
        heads=heads,
        output=head.shape[0],
        is_audio=modality == "audio",
    )
