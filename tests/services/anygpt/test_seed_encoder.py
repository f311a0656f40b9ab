"""SEED-2's image encoder: the library's modules under its names, causal queries, pixels, and whole files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omnigap_services.options import OptionsError

torch = pytest.importorskip("torch", reason="NOT CHECKED: PyTorch is not installed: make models")
pytest.importorskip("transformers", reason="NOT CHECKED: transformers is not installed: make models")

from omnigap_services.anygpt.seed_encoder import SeedEncoder, load_seed_encoder  # noqa: E402
from omnigap_services.anygpt.tiny.parts import write_seed_encoder  # noqa: E402
from omnigap_services.torch_utils.device import Placement  # noqa: E402

CPU = Placement("cpu", "float32")


def load(path: Path, vision: Path | None = None) -> SeedEncoder:
    return load_seed_encoder("anygpt", "seed", path, CPU, vision, "eva_vit_g")


def picture(seed: int, width: int = 70, height: int = 40) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_seed_encoder(tmp_path_factory.mktemp("seed"), seed=7)


@pytest.fixture(scope="module")
def encoder(file: Path) -> SeedEncoder:
    return load(file)


@pytest.fixture(scope="module")
def tensors(file: Path) -> dict[str, Any]:
    return dict(torch.load(file, weights_only=True))


@pytest.fixture(scope="module")
def pixels(encoder: SeedEncoder) -> Any:
    return torch.stack([encoder.preprocess(picture(seed)) for seed in range(3)])


def test_a_batch_has_the_ids_that_each_picture_has_alone(encoder: SeedEncoder, pixels: Any) -> None:
    ids = encoder.encode(pixels)
    assert (ids.shape, ids.dtype) == ((3, 32), torch.int64)
    assert 0 <= int(ids.min()) <= int(ids.max()) < encoder.codebook_size == 8192
    assert len({tuple(row.tolist()) for row in ids}) == 3
    for number in range(3):
        assert torch.equal(encoder.encode(pixels[number : number + 1])[0], ids[number])


def test_pixels_are_those_of_torchvision(encoder: SeedEncoder) -> None:
    transforms = pytest.importorskip("torchvision.transforms", reason="NOT CHECKED: torchvision is not installed")
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    bicubic = transforms.InterpolationMode.BICUBIC
    way = [transforms.Resize((224, 224), bicubic), transforms.ToTensor(), transforms.Normalize(mean, deviation)]
    for image in (picture(1, 500, 90), picture(2, 224, 224), picture(3, 1, 7)):
        assert torch.equal(encoder.preprocess(image), transforms.Compose(way)(image))
    grey = picture(4).convert("L")
    assert torch.equal(encoder.preprocess(grey), encoder.preprocess(grey.convert("RGB")))


def test_with_a_full_mask_the_q_former_is_the_librarys_own(encoder: SeedEncoder, pixels: Any) -> None:
    seen = encoder.vision(pixels).last_hidden_state
    queries = encoder.query_tokens.expand(3, -1, -1)
    hidden = encoder.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    full = encoder.features(pixels, causal=False)
    assert torch.allclose(full, encoder.task(hidden), atol=1e-6)
    causal = encoder.features(pixels)
    # The last query of the first layer sees all others either way; the first one never does.
    assert not torch.allclose(causal[:, 0], full[:, 0], atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(query=st.integers(0, 30), seed=st.integers(0, 2**31))
def test_a_querys_code_does_not_depend_on_later_queries(file: Path, pixels: Any, query: int, seed: int) -> None:
    encoder = load(file)
    before = encoder.features(pixels)
    noise = torch.randn(encoder.query_tokens.shape, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        encoder.query_tokens[:, query + 1 :] += noise[:, query + 1 :]
    after = encoder.features(pixels)
    assert torch.allclose(after[:, : query + 1], before[:, : query + 1], atol=1e-6)
    assert not torch.allclose(after[:, query + 1], before[:, query + 1], atol=1e-4)


def test_the_vision_encoder_is_the_description(encoder: SeedEncoder, tensors: dict[str, Any], pixels: Any) -> None:
    """Pre-norm blocks whose keys have no bias; after them a norm of another epsilon."""

    def of(name: str) -> Any:
        return tensors[f"visual_encoder.{name}"]

    def normed(name: str, x: Any, eps: float) -> Any:
        return torch.nn.functional.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps)

    patches = torch.nn.functional.conv2d(pixels, of("patch_embed.proj.weight"), of("patch_embed.proj.bias"), stride=14)
    x = torch.cat([of("cls_token").expand(3, -1, -1), patches.flatten(2).transpose(1, 2)], dim=1) + of("pos_embed")
    for layer in range(2):
        at = f"blocks.{layer}"
        y = normed(f"visual_encoder.{at}.norm1", x, 1e-6)
        weight = of(f"{at}.attn.qkv.weight")
        q, k, v = (y @ part.t() for part in weight.chunk(3))
        q, v = q + of(f"{at}.attn.q_bias"), v + of(f"{at}.attn.v_bias")
        q, k, v = (part.view(3, 257, 2, -1).transpose(1, 2) for part in (q, k, v))
        mixed = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v
        mixed = mixed.transpose(1, 2).flatten(2)
        x = x + mixed @ of(f"{at}.attn.proj.weight").t() + of(f"{at}.attn.proj.bias")
        y = normed(f"visual_encoder.{at}.norm2", x, 1e-6) @ of(f"{at}.mlp.fc1.weight").t() + of(f"{at}.mlp.fc1.bias")
        x = x + torch.nn.functional.gelu(y) @ of(f"{at}.mlp.fc2.weight").t() + of(f"{at}.mlp.fc2.bias")
    wanted = normed("ln_vision", x, 1e-5)
    assert torch.allclose(encoder.vision(pixels).last_hidden_state, wanted, atol=1e-4)
    assert (encoder.vision.post_layernorm.eps, encoder.vision.encoder.layers[0].layer_norm1.eps) == (1e-5, 1e-6)


def written(folder: Path, file: Path, tensors: dict[str, Any]) -> Path:
    torch.save(tensors, folder / file.name)
    (folder / "config.json").write_bytes(file.with_name("config.json").read_bytes())
    return folder / file.name


def test_a_file_without_the_vision_encoder_needs_evas(
    encoder: SeedEncoder, file: Path, tensors: dict[str, Any], pixels: Any, tmp_path: Path
) -> None:
    start = "visual_encoder."
    bare = written(tmp_path, file, {name: tensor for name, tensor in tensors.items() if not name.startswith(start)})
    with pytest.raises(OptionsError, match=r"option 'seed'.*lacks 30 tensors of the vision.*eva_vit_g\.pth in"):
        load(bare)
    eva = {name.removeprefix(start): tensor.half() for name, tensor in tensors.items() if name.startswith(start)}
    # The layers behind those that BLIP-2 kept are in EVA's file too.
    behind = {name.replace("blocks.1.", "blocks.2."): tensor for name, tensor in eva.items() if "blocks.1." in name}
    torch.save({**eva, **behind, "norm.weight": torch.ones(32), "norm.bias": torch.zeros(32)}, tmp_path / "eva.pth")
    found = load(bare, tmp_path / "eva.pth")
    assert torch.allclose(found.features(pixels), encoder.features(pixels), atol=0.05)
    with pytest.raises(OptionsError, match=r"'eva_vit_g'.*has the whole vision encoder: remove it"):
        load(file, tmp_path / "eva.pth")
    del eva["blocks.1.attn.q_bias"]
    torch.save(eva, tmp_path / "eva.pth")
    with pytest.raises(OptionsError, match=r"'seed'.*lacks 1 tensors.*blocks\.1\.attn\.q_bias\) and neither"):
        load(bare, tmp_path / "eva.pth")


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_tensor_that_ids_depend_on_is_needed(
    file: Path, tensors: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    needed = [name for name in tensors if not name.startswith(("decode_task_layer", "pos_embed"))]
    name = data.draw(st.sampled_from(needed))
    changed = dict(tensors)
    fault = data.draw(st.sampled_from(["missing", "additional", "nan"]))
    if fault == "missing":
        del changed[name]
    elif fault == "nan":
        changed[name] = torch.full_like(changed[name], float("nan"))
    else:
        changed[f"{name}.more"] = torch.zeros(2)
    with pytest.raises(OptionsError, match="option 'seed'"):
        load(written(tmp_path_factory.mktemp("damaged"), file, changed))


def test_half_precision_is_read_and_a_folder_is_enough(file: Path, tensors: dict[str, Any], tmp_path: Path) -> None:
    written(tmp_path, file, {name: tensor.half() for name, tensor in tensors.items()})
    assert all(weight.dtype is torch.float32 for weight in load(tmp_path).parameters())


@pytest.mark.parametrize(
    ("config", "message"),
    [({"vision_heads": 5}, "5 vision_heads do not divide 32"), ({"qformer_heads": -1}, "'qformer_heads': -1")],
)
def test_heads_that_do_not_fit_are_refused(
    file: Path, tensors: dict[str, Any], tmp_path: Path, config: dict[str, int], message: str
) -> None:
    path = written(tmp_path, file, tensors)
    given = json.loads(file.with_name("config.json").read_text())
    path.with_name("config.json").write_text(json.dumps({**given, **config}))
    with pytest.raises(OptionsError, match=f"'seed'.*{message}"):
        load(path)


def test_tiny_files_are_the_same_at_every_start(file: Path, tmp_path: Path) -> None:
    assert write_seed_encoder(tmp_path, seed=7).read_bytes() == file.read_bytes()
    assert write_seed_encoder(tmp_path, seed=8).read_bytes() != file.read_bytes()
