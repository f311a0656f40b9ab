"""AnyGPT's codec, SoundStorm and image encoder against the authors' own code, on the same random weights.

    python benchmarks/upstream_anygpt.py CHECKOUTS [--full] [--golden FILE]

CHECKOUTS is a folder with checkouts of OpenMOSS/AnyGPT (`anygpt`), ZhangXInFD/soundstorm-speechtokenizer (`soundstorm`)
and AILab-CVC/SEED (`seed`); the codec is that of the installed package speechtokenizer. The authors' modules are built
with random weights and saved as they save them; the loaders of omnigap read the files. Prints commits, sizes and the
largest differences as a table. `--full` uses the published sizes, with 6 of the ViT's 39 layers, and takes 8 GB of
memory; `--golden` writes shapes, seeds and ids of the small SoundStorm for the tests.

Old dependencies that the compared code imports without using them are replaced by empty modules.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from omnigap_services.anygpt.seed_encoder import load_seed_encoder
from omnigap_services.anygpt.soundstorm import load_soundstorm
from omnigap_services.anygpt.speech_tokenizer import load_speech_tokenizer
from omnigap_services.torch_utils.device import Placement
from omnigap_services.torch_utils.versions import let_torchvision_import

# Endings of the names of vectors that are looked up or added.
_TABLES = ("emb.weight", "embeds.weight", "embedding.weight", "embed", "_token", "_tokens")

Row = tuple[str, str, str, str, str]
CPU = Placement("cpu", "float32")


@click.command()
@click.argument("checkouts", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--full", is_flag=True, help="Published sizes instead of small ones.")
@click.option("--golden", type=click.Path(path_type=Path), help="JSON file for the golden ids of SoundStorm.")
def main(checkouts: Path, full: bool, golden: Path | None) -> None:
    let_torchvision_import()
    print(f"torch {torch.__version__}, transformers {importlib.metadata.version('transformers')}, CPU, float32\n")
    print("| part | upstream | sizes | ids that differ | largest difference |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        show(codec(folder, "Snake", full))
        show(codec(folder, "ELU", full))
        show(soundstorm(checkouts / "anygpt", folder / "copy", full, None))
        show(soundstorm(checkouts / "soundstorm", folder / "alone", full, golden))
        show(seed(checkouts / "seed", "models", folder / "seed", full))
        show(seed(checkouts / "anygpt", "seed2", folder / "seed2", full))


def show(row: Row) -> None:
    print("| " + " | ".join(row) + " |", flush=True)


def codec(folder: Path, activation: str, full: bool) -> Row:
    """SpeechTokenizer: codes of noise, and waves of those codes and of random ones."""
    spec = importlib.util.find_spec("speechtokenizer")
    if spec is None or spec.origin is None:
        raise click.ClickException("speechtokenizer is not installed: pip install --no-deps speechtokenizer einops")
    package = bare("upstream_codec", Path(spec.origin).parent)
    filters, dimension, semantic = (64, 1024, 768) if full else (4, 16, 12)
    config: dict[str, Any] = {"n_filters": filters, "dimension": dimension, "semantic_dimension": semantic}
    config |= {"strides": [8, 5, 4, 2], "bidirectional": True, "lstm_layers": 2, "n_residual_layers": 1}
    config |= {"residual_kernel_size": 3, "dilation_base": 2, "activation": activation}
    config |= {"codebook_size": 1024, "n_q": 8, "sample_rate": 16_000}
    theirs = importlib.import_module(f"{package}.model").SpeechTokenizer(config).eval()
    randomise(theirs, 0)
    draws = torch.Generator().manual_seed(1)
    # Codebooks as far apart as the frames: otherwise all frames have the same few codes.
    spread = theirs.encoder(0.3 * torch.randn(1, 1, 16_000, generator=draws)).std()
    for level, layer in enumerate(theirs.quantizer.vq.layers):
        layer._codebook.embed.mul_(spread * 0.7**level)
    path = save(folder / f"codec-{activation}", "ckpt.dev", theirs, config)
    ours = load_speech_tokenizer("anygpt", "speech_modules", path.parent, CPU)
    differing, total, largest = 0, 0, 0.0
    for samples in (1, 319, 16_000, 32_037):
        clip = 0.3 * torch.randn(1, 1, samples, generator=draws)
        wanted, found = theirs.encode(clip), ours.encode(clip)
        differing, total = differing + int((wanted != found).sum()), total + wanted.numel()
        for codes in (wanted, torch.randint(1024, wanted.shape, generator=draws)):
            wave = theirs.decode(codes)
            largest = max(largest, float((wave - ours.decode(codes)).abs().max() / wave.abs().max()))
    version = importlib.metadata.version("speechtokenizer")
    sizes = f"{activation}, {filters} filters, {dimension} wide"
    return "codec", f"speechtokenizer {version}", sizes, f"{differing} of {total}", f"{largest:.1e} of the peak"


def soundstorm(checkout: Path, folder: Path, full: bool, golden: Path | None) -> Row:
    """SoundStorm: logits of one pass, and ids with and without a prompt under several seeds."""
    for name, members in {"beartype": {"beartype": lambda kind: kind}, "beartype.typing": vars(typing)}.items():
        stub(name, **members)
    package = bare(f"{checkout.name}_soundstorm", checkout / "soundstorm_speechtokenizer")
    module = importlib.import_module(f"{package}.soundstorm")
    width, depth, heads, head_width, codes = (1024, 12, 8, 128, 1024) if full else (32, 2, 2, 16, 64)
    conformer = {"dim": width, "depth": depth, "heads": heads, "dim_head": head_width, "attn_flash": False}
    net = module.ConformerWrapper(codebook_size=codes, num_quantizers=7, conformer=conformer)
    theirs = module.SoundStorm(net=net, num_semantic_token_ids=codes, schedule="cosine").eval()
    randomise(theirs, 0)
    path = save(folder, "soundstorm.pt", theirs, {"heads": heads})
    ours = load_soundstorm("anygpt", "soundstorm", path, CPU)
    draws = torch.Generator().manual_seed(1)
    differing, total, cases = 0, 0, []
    for number, (frames, prompted, steps) in enumerate([(1, 0, 3), (24, 0, 3), (24, 7, 3), (50, 0, 4), (50, 12, 1)]):
        semantic = torch.randint(codes, (1, frames), generator=draws)
        prompt = torch.randint(codes, (8, prompted), generator=draws) if prompted else None
        torch.manual_seed(number)
        given = None if prompt is None else prompt.t()[None]
        wanted = theirs.generate(semantic_tokens=semantic, prompt_tokens=given, steps=steps)[0].t()
        found = ours.generate(semantic, number, steps, prompt)[:, 0]
        differing, total = differing + int((wanted != found).sum()), total + wanted[1:].numel()
        case = {"seed": number, "steps": steps, "semantic": semantic[0].tolist(), "ids": wanted.tolist()}
        cases.append({**case, "prompt": None if prompt is None else prompt.tolist()})
    masked = torch.full((1, 50 * 7), codes)
    condition = theirs.semantic_token_emb(semantic)
    logits = theirs.net(masked, mask=torch.ones(1, 50, dtype=torch.bool), cond=condition).view(50, 7, -1)
    largest = float((logits - ours(masked.view(50, 7), condition[0])).abs().max())
    if golden is not None and not full:
        origin = {"repository": "ZhangXInFD/soundstorm-speechtokenizer", "commit": commit(checkout), "heads": heads}
        shapes = {name: list(weight.shape) for name, weight in theirs.state_dict().items()}
        golden.write_text(json.dumps({**origin, "weights_seed": 0, "shapes": shapes, "cases": cases}) + "\n")
    upstream = f"{checkout.name} {commit(checkout)}"
    sizes = f"{depth} layers, {width} wide, {heads} heads"
    return "SoundStorm", upstream, sizes, f"{differing} of {total}", f"{largest:.1e} (logits)"


def seed(checkout: Path, package_folder: str, folder: Path, full: bool) -> Row:
    """SEED-2's encoder: pixels of pictures, and what the codebook quantizes, and ids."""
    stub_old_libraries()
    package = bare(f"{checkout.name}_seed", checkout / package_folder / "seed_qformer")
    names = ("eva_vit", "blip2", "qformer_quantizer")
    vit, blip2, quantizer = (importlib.import_module(f"{package}.{name}") for name in names)
    vision, layers, heads = (1408, 6, 16) if full else (32, 2, 2)
    hidden, depth, qformer_heads = (768, 12, 12) if full else (24, 4, 2)

    def vision_encoder(self: Any, *given: Any) -> tuple[nn.Module, nn.Module]:
        norm = quantizer.partial(nn.LayerNorm, eps=1e-6)
        sizes = {"embed_dim": vision, "depth": layers, "num_heads": heads, "mlp_ratio": 4.3637, "norm_layer": norm}
        encoder = vit.VisionTransformer(patch_size=14, use_mean_pooling=False, qkv_bias=True, **sizes)
        return encoder, blip2.LayerNorm(vision)

    def q_former(cls: Any, queries: int, width: int, cross_attention_freq: int = 2) -> tuple[nn.Module, nn.Parameter]:
        sizes = {"hidden_size": hidden, "num_hidden_layers": depth, "num_attention_heads": qformer_heads}
        config = blip2.BertConfig(intermediate_size=4 * hidden, **sizes)
        config.encoder_width, config.add_cross_attention = width, True
        config.cross_attention_freq, config.query_length = cross_attention_freq, queries
        return blip2.BertLMHeadModel(config), nn.Parameter(torch.zeros(1, queries, hidden))

    parent = quantizer.Blip2QformerQuantizer
    overridden = {"init_tokenizer": classmethod(lambda cls: None), "init_vision_encoder": vision_encoder}
    theirs = type("Quantizer", (parent,), {**overridden, "init_Qformer": classmethod(q_former)})().eval()
    randomise(theirs, 0)
    config = {"vision_layers": layers, "vision_heads": heads, "qformer_heads": qformer_heads}
    path = save(folder, "seed_quantizer.pt", theirs, config)
    ours = load_seed_encoder("anygpt", "seed", path, CPU)
    rng = np.random.default_rng(0)
    shapes = ((90, 500, 3), (224, 224, 3), (30, 20, 3))
    pictures = [Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    pixels = torch.stack([as_upstream()(picture) for picture in pictures])
    if not torch.equal(pixels, torch.stack([ours.preprocess(picture) for picture in pictures])):
        raise SystemExit("the pixels differ")
    features: list[Tensor] = []
    theirs.encode_task_layer.register_forward_hook(lambda module, given, output: features.append(output))
    wanted = theirs.get_codebook_indices(pixels)[0]
    differing = int((wanted != ours.encode(pixels)).sum())
    largest = float((features[0] - ours.features(pixels)).abs().max() / features[0].abs().max())
    sizes = f"ViT {layers} x {vision}, Q-Former {depth} x {hidden}"
    upstream = f"{checkout.name} {commit(checkout)}"
    return "SEED-2", upstream, sizes, f"{differing} of {wanted.numel()}", f"{largest:.1e} of the peak"


def as_upstream() -> Callable[[Image.Image], Tensor]:
    """The original's preprocessing of a picture (seed_llama_tokenizer.py)."""
    from torchvision import transforms

    normalise = transforms.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    way: Callable[[Image.Image], Tensor] = transforms.Compose(
        [transforms.Resize((224, 224), interpolation=3), transforms.ToTensor(), normalise]
    )
    return way


def randomise(module: nn.Module, seed: int) -> None:
    """Gives every weight a value at the scale at which outputs neither vanish nor explode."""
    draws = torch.Generator().manual_seed(seed)
    for name, weight in module.state_dict().items():
        if weight.is_floating_point():
            weight.copy_(random_weight(name, weight.shape, draws))


def random_weight(name: str, shape: Sequence[int], draws: torch.Generator) -> Tensor:
    # The test of the golden ids draws the same ones.
    noise = torch.randn(shape, generator=draws)
    if "bias" in name.rpartition(".")[2]:
        return 0.1 * noise
    if len(shape) == 1 or name.endswith(("alpha", "gamma", "weight_g")):
        return 1 + 0.1 * noise
    return noise if name.endswith(_TABLES) else noise / math.sqrt(math.prod(shape[1:]))


def save(folder: Path, name: str, module: nn.Module, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(module.state_dict(), folder / name)
    return folder / name


def commit(checkout: Path) -> str:
    found = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return found.stdout[:7]


def bare(name: str, folder: Path) -> str:
    """Makes a folder of modules importable under a name, without running the package's own imports."""
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__path__ = [str(folder)]
    return name


def stub(name: str, **members: Any) -> None:
    """Adds members that a module lacks; one that is not installed becomes an empty one first."""
    try:
        importlib.import_module(name)
    except ImportError:
        sys.modules[name] = ModuleType(name)
    for member, value in members.items():
        if not hasattr(sys.modules[name], member):
            setattr(sys.modules[name], member, value)


def stub_old_libraries() -> None:
    """timm, and what transformers 5 has removed, as far as SEED's modules name them."""
    from transformers import pytorch_utils

    class PatchEmbed(nn.Module):
        """Never built: only named at import."""

    def unused(*given: Any, **named: Any) -> Any:
        raise NotImplementedError

    def pair(value: Any) -> Any:
        return value if isinstance(value, tuple) else (value, value)

    layers = {"drop_path": unused, "to_2tuple": pair, "trunc_normal_": nn.init.trunc_normal_, "DropPath": nn.Identity}
    stub("timm")
    stub("timm.models")
    stub("timm.models.hub")
    stub("timm.models.layers", **layers)
    stub("timm.models.vision_transformer", _cfg=unused, PatchEmbed=PatchEmbed)
    stub("timm.models.registry", register_model=lambda kind: kind)
    stub("timm.models.helpers", named_apply=unused, adapt_input_conv=unused)
    chunking = pytorch_utils.apply_chunking_to_forward
    pruning = {"find_pruneable_heads_and_indices": unused, "prune_linear_layer": unused}
    stub("transformers.modeling_utils", apply_chunking_to_forward=chunking, **pruning)
    base: Any = sys.modules["transformers.modeling_utils"].PreTrainedModel
    base.init_weights = lambda self: None
    base.get_head_mask = lambda self, mask, layers, *others: [None] * layers
    base.invert_attention_mask = lambda self, mask: (1 - mask[:, None, None, :].float()) * torch.finfo(torch.float).min


if __name__ == "__main__":
    main()
