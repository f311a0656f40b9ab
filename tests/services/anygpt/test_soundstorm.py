"""SoundStorm: ids of the authors' code and of a literal reference, a clip's own draws, and whole files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_services.options import OptionsError

torch = pytest.importorskip("torch", reason="NOT CHECKED: PyTorch is not installed: make models")

from omnigap_services.anygpt.soundstorm import SoundStorm, load_soundstorm  # noqa: E402
from omnigap_services.anygpt.tiny.parts import SOUNDSTORM_FILE, write_soundstorm  # noqa: E402
from omnigap_services.torch_utils.device import Placement  # noqa: E402

CPU = Placement("cpu", "float32")
GOLDEN = json.loads(Path(__file__).with_name("soundstorm_golden.json").read_text())
STAND_ALONE = {"net1.0": "net.0", "net1.2": "net.2", "ds_conv": "net.4", "net2.1": "net.6", "net2.2": "net.7"}

Weights = Mapping[str, Any]


def load(path: Path) -> SoundStorm:
    return load_soundstorm("anygpt", "soundstorm", path, CPU)


def drawn(seed: int, *shape: int, below: int = 1024) -> Any:
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundstorm(tmp_path_factory.mktemp("soundstorm"), seed=5)


@pytest.fixture(scope="module")
def model(file: Path) -> SoundStorm:
    return load(file)


@pytest.fixture(scope="module")
def weights(file: Path) -> Weights:
    return torch.load(file, weights_only=True)


@pytest.fixture(scope="module")
def golden_model(tmp_path_factory: pytest.TempPathFactory) -> SoundStorm:
    """The weights that benchmarks/upstream_anygpt.py gave the authors' module, under its names."""
    draws = torch.Generator().manual_seed(GOLDEN["weights_seed"])
    tensors = {}
    for name, shape in GOLDEN["shapes"].items():
        noise = torch.randn(shape, generator=draws)
        if name.endswith("bias"):
            tensors[name] = 0.1 * noise
        elif len(shape) == 1 or name.endswith("gamma"):
            tensors[name] = 1 + 0.1 * noise
        else:
            is_table = name.endswith(("emb.weight", "embeds.weight"))
            tensors[name] = noise if is_table else noise / math.sqrt(math.prod(shape[1:]))
    folder = tmp_path_factory.mktemp("golden")
    (folder / "config.json").write_text(json.dumps({"heads": GOLDEN["heads"]}))
    torch.save(tensors, folder / "any.pt")
    return load(folder)


@pytest.mark.parametrize("number", range(len(GOLDEN["cases"])))
def test_ids_are_those_of_the_authors_code(golden_model: SoundStorm, number: int) -> None:
    case = GOLDEN["cases"][number]
    prompt = None if case["prompt"] is None else torch.tensor(case["prompt"])
    found = golden_model.generate(torch.tensor([case["semantic"]]), case["seed"], case["steps"], prompt)
    assert found[:, 0].tolist() == case["ids"]


def reference_logits(weights: Weights, heads: int, codes: Any, semantic: Any) -> Any:
    """Logits by the description of the model, (frames, levels) codes and (frames,) semantic ids."""

    def normed(name: str, x: Any) -> Any:
        return torch.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])

    def linear(name: str, x: Any) -> Any:
        return x @ weights[f"{name}.weight"].flatten(1).t() + weights.get(f"{name}.bias", 0)

    x = weights["semantic_token_emb.weight"][semantic]
    per_level = weights["net.code_embeds.weight"].view(7, -1, x.shape[1])
    x = x + sum(per_level[level, codes[:, level]] for level in range(7))
    frames = len(x)
    for layer in range(1 + max(int(name.split(".")[3]) for name in weights if ".layers." in name)):
        at = f"net.conformer.layers.{layer}"

        def half(part: str, x: Any, at: str = at) -> Any:
            inner = linear(f"{at}.{part}.fn.fn.net.0", normed(f"{at}.{part}.fn.norm", x))
            return 0.5 * linear(f"{at}.{part}.fn.fn.net.3", inner * inner.sigmoid())

        x = x + half("ff1", x)
        y = normed(f"{at}.attn.norm", x)
        q = linear(f"{at}.attn.fn.to_q", y).view(frames, heads, -1)
        k, v = linear(f"{at}.attn.fn.to_kv", y).view(frames, 2, heads, -1).unbind(1)
        width = q.shape[-1]
        angle = torch.arange(frames)[:, None] * 10_000.0 ** (-torch.arange(0, width, 2) / width)
        turned = []
        for z in (q, k):
            a, b = z[..., : width // 2], z[..., width // 2 :]
            cos, sin = angle.cos()[:, None], angle.sin()[:, None]
            turned.append(torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1))
        scores = torch.einsum("ihd,jhd->hij", *turned) / math.sqrt(width)
        mixed = torch.einsum("hij,jhd->ihd", scores.softmax(-1), v).reshape(frames, -1)
        x = x + linear(f"{at}.attn.fn.to_out", mixed)
        out, gate = linear(f"{at}.conv.net1.2", normed(f"{at}.conv.net1.0", x)).chunk(2, dim=-1)
        y = out * gate.sigmoid()
        kernel = weights[f"{at}.conv.ds_conv.conv.weight"][:, 0]
        radius = kernel.shape[1] // 2
        padded = torch.cat([torch.zeros(radius, y.shape[1]), y, torch.zeros(radius, y.shape[1])])
        y = sum(padded[tap : tap + frames] * kernel[:, tap] for tap in range(kernel.shape[1]))
        y = y + weights[f"{at}.conv.ds_conv.conv.bias"]
        y = y * y.sigmoid()
        y = (y - y.mean(1, keepdim=True)) / y.var(1, correction=0, keepdim=True).clamp(min=1e-6).sqrt()
        x = x + linear(f"{at}.conv.net2.2", y * weights[f"{at}.conv.net2.1.gamma"].flatten())
        x = normed(f"{at}.post_norm", x + half("ff2", x))
    levels = normed("net.to_logits.0", linear("net.heads.0", x).view(frames, 7, -1))
    return torch.einsum("nqd,qdl->nql", levels, weights["net.to_logits.2.weight"]) + weights["net.to_logits.2.bias"][0]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 40))
def test_logits_are_those_of_the_description(model: SoundStorm, weights: Weights, seed: int, frames: int) -> None:
    codes, semantic = drawn(seed, frames, 7, below=1025), drawn(seed + 1, frames)
    with torch.no_grad():
        found = model(codes, model.semantic_token_emb(semantic))
    assert torch.allclose(found, reference_logits(weights, 2, codes, semantic), atol=1e-4, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**64 - 1), frames=st.integers(1, 30), prompted=st.integers(0, 9), steps=st.integers(1, 5))
def test_a_clip_has_its_own_draws(model: SoundStorm, seed: int, frames: int, prompted: int, steps: int) -> None:
    semantic = drawn(seed % 1000, 1, frames)
    prompt = drawn(seed % 999, 8, prompted) if prompted else None
    first = model.generate(semantic, seed, steps, prompt)
    assert first.shape == (8, 1, frames)
    assert torch.equal(first[0], semantic)
    assert 0 <= int(first.min()) <= int(first.max()) < 1024
    # Another clip between them, and torch's own state, change nothing.
    torch.manual_seed(seed % 77)
    before = torch.get_rng_state()
    model.generate(drawn(3, 1, 5), seed + 1)
    assert torch.equal(model.generate(semantic, seed, steps, prompt), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_and_the_prompt_change_the_voice(model: SoundStorm) -> None:
    semantic = drawn(1, 1, 40)
    found = [model.generate(semantic, seed) for seed in range(3)]
    found += [model.generate(semantic, 0, prompt=drawn(seed, 8, 20)) for seed in range(2)]
    assert len({tuple(codes.flatten().tolist()) for codes in found}) == 5


def test_one_step_takes_only_the_best_codes_after_the_first_draw(model: SoundStorm) -> None:
    # With one frame every pass after the first has nothing left to mask, so the seed can't matter.
    semantic = drawn(2, 1, 1)
    assert len({tuple(model.generate(semantic, seed, steps=1).flatten().tolist()) for seed in range(5)}) == 1


@pytest.mark.parametrize("ids", [[], [1024], [-1, 3]])
def test_ids_that_are_not_semantic_are_refused(model: SoundStorm, ids: list[int]) -> None:
    with pytest.raises(ValueError, match="0 to 1023"):
        model.generate(torch.tensor([ids], dtype=torch.int64), 0)


def test_both_namings_of_the_convolution_are_one_model(model: SoundStorm, weights: Weights, tmp_path: Path) -> None:
    renamed = dict(weights)
    for ours, theirs in STAND_ALONE.items():
        renamed = {name.replace(f".conv.{ours}.", f".conv.{theirs}."): tensor for name, tensor in renamed.items()}
    assert renamed.keys() != weights.keys()
    torch.save(renamed, tmp_path / "alone.pt")
    (tmp_path / "config.json").write_text('{"heads": 2}')
    semantic = drawn(4, 1, 12)
    assert torch.equal(load(tmp_path).generate(semantic, 1), model.generate(semantic, 1))


def test_tiny_files_are_the_same_at_every_start(file: Path, tmp_path: Path) -> None:
    assert write_soundstorm(tmp_path, seed=5).read_bytes() == file.read_bytes()
    assert write_soundstorm(tmp_path, seed=6).read_bytes() != file.read_bytes()


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_tensor_is_needed_and_no_other_is_taken(
    weights: Weights, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(weights)))
    changed = dict(weights)
    fault = data.draw(st.sampled_from(["missing", "shape", "additional"]))
    if fault == "missing":
        del changed[name]
    elif fault == "shape":
        changed[name] = torch.zeros(*weights[name].shape, 2)
    else:
        changed[f"{name}.more"] = torch.zeros(2)
    folder = tmp_path_factory.mktemp("damaged")
    torch.save(changed, folder / SOUNDSTORM_FILE)
    (folder / "config.json").write_text('{"heads": 2}')
    with pytest.raises(OptionsError, match="'soundstorm'"):
        load(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"heads": 0}', "'heads': 0"),
        ('{"heads": "2"}', "'heads': '2'"),
        ('{"heads": true}', "'heads': True"),
        ('{"heads": 5}', "5 heads do not divide"),
        ("{", r"config\.json can't be read"),
    ],
)
def test_heads_that_do_not_fit_are_refused(file: Path, tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(OptionsError, match=f"'soundstorm'.*{message}"):
        load(tmp_path)


def test_a_folder_must_have_one_file(file: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"'soundstorm'.*no \.pt file"):
        load(tmp_path)
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(file.read_bytes())
    with pytest.raises(OptionsError, match=r"2 \.pt files \(a\.pt, b\.pt\)"):
        load(tmp_path)
