"""The service `nextgpt` against the code of its authors, on the same random weights in both.

    python benchmarks/upstream_nextgpt.py CHECKOUTS WHEELS

CHECKOUTS has a checkout of NExT-GPT in `nextgpt`. WHEELS has the pinned packages that this environment lacks, from
`pip install --no-deps --target WHEELS torchaudio pytorchvideo`; single modules of these are used. Other imports of the
authors' code are replaced by stubs: nothing that they do is part of a text answer.

The authors' classes make the weights. They are saved as their scripts save them, loaded by the service, and both get
the same files as questions. Prints the commit, the sizes and the largest differences; fails if one is over 1e-4 of
the largest value, or a token differs.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import types
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
import numpy as np
import soundfile
import torch
from PIL import Image

from omnigap.media import AudioClip
from omnigap.vocabulary import Modality
from omnigap_services.adapter import Request
from omnigap_services.nextgpt.imagebind import audio_features, image_features, letterboxed
from omnigap_services.nextgpt.loading import Nextgpt, load_nextgpt
from omnigap_services.nextgpt.options import NextgptOptions
from omnigap_services.nextgpt.prompt import ADDED_TOKENS, Vocabulary, embedded, segments_of
from omnigap_services.nextgpt.tiny import write_vicuna
from omnigap_services.torch_utils.versions import let_torchvision_import

STUBS = (
    *("torchaudio", "pytorchvideo", "timm", "iopath", "deepspeed", "diffusers", "omegaconf", "ipdb", "data", "decord"),
    *("transformers.deepspeed", "torch.utils.tensorboard", "model.agent", "model.modeling_llama", "model.custom_sd"),
    *("model.custom_vd", "model.custom_ad", "model.qformer"),
)
RANK, ALPHA = 32, 32
SIZES = {
    "vision_embed_dim": 160,
    "vision_num_blocks": 4,
    "vision_num_heads": 16,
    "audio_embed_dim": 96,
    "audio_num_blocks": 4,
    "audio_num_heads": 12,
    "text_embed_dim": 32,
    "text_num_blocks": 1,
    "text_num_heads": 2,
    "depth_embed_dim": 64,
    "thermal_embed_dim": 96,
    "imu_embed_dim": 64,
    "out_embed_dim": 64,
}
TOLERANCE = 1e-4
NEW_TOKENS = 24


class Stub(types.ModuleType):
    """A module in which every name is a class that does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (torch.nn.Identity,), {})


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stubs for the modules of `STUBS` and everything below them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if any(name == stub or name.startswith(f"{stub}.") for stub in STUBS):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []


def read_module(path: Path, name: str) -> types.ModuleType:
    """One file of a wheel as a module, without its package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def authors_code(checkout: Path, wheels: Path) -> types.ModuleType:
    """The module of the authors' model."""
    sys.meta_path.insert(0, StubFinder())
    sys.path.insert(0, str(checkout / "NExT-GPT-Lagacy" / "code"))
    sampling = read_module(wheels / "pytorchvideo/data/clip_sampling.py", "pytorchvideo.data.clip_sampling")
    kaldi = read_module(wheels / "torchaudio/compliance/kaldi.py", "torchaudio.compliance.kaldi")
    module = importlib.import_module("model.anyToImageVideoAudio")
    data = importlib.import_module("model.ImageBind.data")
    data.ConstantClipsPerVideoSampler = sampling.ConstantClipsPerVideoSampler  # type: ignore[attr-defined]
    data.torchaudio = types.SimpleNamespace(  # type: ignore[attr-defined]
        load=load_sound, compliance=types.SimpleNamespace(kaldi=kaldi)
    )
    # They subtract the mean of a clip in place. Clips of a recording under 8 s overlap, so that the next one has a
    # step as large as the mean: 0.01 here, which changes one frame, and the vector by 1e-4.
    spectrogram = data.waveform2melspec  # type: ignore[attr-defined]
    data.waveform2melspec = lambda wave, *rest: spectrogram(wave.clone(), *rest)  # type: ignore[attr-defined]
    return module


def load_sound(path: str) -> tuple[torch.Tensor, int]:
    """As torchaudio's: shape (channels, n)."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate


class AuthorsTokenizer:
    """Their calls of the slow LlamaTokenizer, which encodes a segment by sentencepiece or is one added token.

    The ids of both are compared in tests/services/nextgpt/test_prompt.py, with a table made by transformers 4.29.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.bos_token_id = vocabulary.bos

    def __call__(self, text: str, **_: Any) -> Any:
        added = self._vocabulary.added
        ids = [added[text]] if text in added else self._vocabulary.text_ids(text)[1:]
        return Ids(torch.tensor([ids]))


class Ids(types.SimpleNamespace):
    """What a tokenizer returns."""

    def __init__(self, ids: torch.Tensor) -> None:
        super().__init__(input_ids=ids)

    def to(self, device: str) -> Ids:
        return self


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """All weights random, so that none has the value that its initialisation gives it."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return module


def build(upstream: types.ModuleType, folder: Path) -> Any:
    """The authors' model with random weights, and the files of it that their scripts write."""
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    write_vicuna(folder / "vicuna")
    imagebind = importlib.import_module("model.ImageBind.models.imagebind_model")
    encoder = shaken(imagebind.ImageBindModel(**SIZES)).eval()
    torch.save(encoder.state_dict(), folder / "imagebind_huge.pth")

    # As in their constructor: LoRA first, then rows for the added tokens.
    vocabulary = Vocabulary(folder / "vicuna", "vicuna")
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.1,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    )
    llm = get_peft_model(LlamaForCausalLM.from_pretrained(folder / "vicuna"), config)  # type: ignore[arg-type]
    llm.resize_token_embeddings(len(vocabulary))
    # transformers 4.29, which they pin, makes a resized table anew and so trainable.
    for table in (llm.get_input_embeddings(), llm.get_output_embeddings()):
        table.weight.requires_grad_(True)
    with torch.no_grad():
        for name, weight in llm.named_parameters():
            if weight.requires_grad:
                weight.copy_(torch.randn_like(weight) * (0.1 if "lora" in name else 1.0))

    model = upstream.NextGPTModel.__new__(upstream.NextGPTModel)
    torch.nn.Module.__init__(model)
    model.args = {"freeze_lm": False}
    model.device = "cpu"
    model.visual_encoder = encoder.requires_grad_(False)
    model.llama_model = llm
    model.llama_tokenizer = AuthorsTokenizer(vocabulary)
    model.llama_proj = torch.nn.Linear(SIZES["out_embed_dim"], llm.config.hidden_size)
    model.input_embeddings = llm.get_input_embeddings()
    model.gen_text_hidden_fcs = torch.nn.ModuleList([torch.nn.Linear(8, 8)])
    model.eval()
    # As their agent saves it.
    torch.save({n: w for n, w in model.named_parameters() if w.requires_grad}, folder / "pytorch_model.pt")
    (folder / "added_tokens.json").write_text(json.dumps(vocabulary.added))
    (folder / "tokenizer.model").write_bytes((folder / "vicuna" / "tokenizer.model").read_bytes())
    return model


def files(folder: Path) -> dict[str, Path]:
    """Questions as files: square and wide pictures, long and short clips."""
    draw = np.random.default_rng(0)
    found = {}
    for name, size in (("square", (300, 300)), ("wide", (500, 180)), ("tall", (123, 400))):
        noise = draw.integers(0, 255, (size[1] // 8 + 1, size[0] // 8 + 1, 3), dtype=np.uint8)
        found[name] = folder / f"{name}.png"
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(found[name])
    for name, seconds in (("long", 9.3), ("short", 2.6), ("one clip", 1.1)):
        found[name] = folder / f"{seconds}.wav"
        samples = 0.2 * draw.standard_normal(round(16_000 * seconds)) + 0.01
        soundfile.write(found[name], samples.astype(np.float32), 16_000, subtype="FLOAT")
    return found


class Differences:
    """Prints each largest difference, and remembers whether one is too large."""

    def __init__(self) -> None:
        self.failed = False

    def compare(self, what: str, theirs: torch.Tensor, ours: torch.Tensor) -> None:
        same = theirs.shape == ours.shape
        found = float((theirs.float() - ours.float()).abs().max()) if same else float("inf")
        size = float(theirs.float().abs().max())
        print(f"{what:<52} {tuple(theirs.shape)!s:<18} largest value {size:.3g}, largest difference {found:.2e}")
        self.failed |= not found <= TOLERANCE * max(1.0, size)


def media(path: Path) -> AudioClip | Image.Image:
    if path.suffix == ".png":
        return Image.open(path).convert("RGB")
    return AudioClip(soundfile.read(path, dtype="float32")[0], 16_000)


def prompts(paths: Sequence[Path]) -> list[tuple[str, Request]]:
    """Prompts as their `inference.py` writes them, and the same as requests."""
    found = [("### Human: Where is the river?", Request(("Where is the river?",), Modality.TEXT))]
    for path in paths:
        kind = "Image" if path.suffix == ".png" else "Audio"
        for question in ("", "In one word."):
            parts = (media(path), question) if question else (media(path),)
            found.append((f"### Human: <{kind}>{path}</{kind}> {question}", Request(parts, Modality.TEXT)))
    return found


@click.command()
@click.argument("checkouts", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("wheels", type=click.Path(exists=True, file_okay=False, path_type=Path))
@torch.inference_mode()
def main(checkouts: Path, wheels: Path) -> None:
    """Compares the service with the authors' code."""
    torch.set_num_threads(1)
    let_torchvision_import()
    checkout = checkouts / "nextgpt"
    commit = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    print(f"NExT-GPT {commit.stdout.strip()}; torch {torch.__version__}, float32, CPU")
    print("ImageBind:", ", ".join(f"{name} {size}" for name, size in SIZES.items()))
    upstream = authors_code(checkout, wheels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with torch.inference_mode(False):
            theirs = build(upstream, folder)
        options = {"vicuna": str(folder / "vicuna"), "delta": name, "imagebind": name, "device": "cpu"}
        ours = load_nextgpt(NextgptOptions(**options, audio_control=True, letterbox=False))  # type: ignore[arg-type]
        shape = ours.llm.config
        print(
            f"LLaMA: hidden {shape.hidden_size}, {shape.num_hidden_layers} layers, {len(ours.vocabulary)} tokens;"
            f" LoRA r {RANK}, alpha {ours.lora_alpha:g}; {len(ADDED_TOKENS)} added tokens\n"
        )
        found = Differences()
        paths = files(folder)
        compare_vectors(theirs, ours, paths, found)
        compare_answers(theirs, ours, prompts(list(paths.values())), found)
    if found.failed:
        raise click.ClickException(f"a difference is over {TOLERANCE:g} of the largest value, or tokens differ")


def compare_vectors(theirs: Any, ours: Nextgpt, paths: dict[str, Path], found: Differences) -> None:
    """Features, ImageBind's vectors, and what the projection makes of them."""
    data = importlib.import_module("model.ImageBind.data")
    for name, path in paths.items():
        one = media(path)
        if isinstance(one, AudioClip):
            features = data.load_and_transform_audio_data([str(path)], "cpu")
            found.compare(f"audio features, {name}", features[0], audio_features(one.samples))
            vector = theirs.visual_encoder({"audio": features})["audio"]
            assert ours.audio is not None
            found.compare(
                f"audio vector, {name}", vector, ours.audio(audio_features(one.samples)).mean(0, keepdim=True)
            )
            embedding = theirs.encode_audio([str(path)])[0][0]
        else:
            features = data.load_and_transform_vision_data([str(path)], "cpu")
            found.compare(f"image features, {name} (cropped)", features[0], image_features(one, letterbox=False))
            vector = theirs.visual_encoder({"vision": features})["vision"]
            found.compare(f"image vector, {name} (cropped)", vector, ours.vision(image_features(one, False)[None]))
            # A picture that is a square already is cropped to itself.
            letterboxed(one).save(path.with_suffix(".box.png"))
            features = data.load_and_transform_vision_data([str(path.with_suffix(".box.png"))], "cpu")
            vector = theirs.visual_encoder({"vision": features})["vision"]
            found.compare(f"image vector, {name} (letterboxed)", vector, ours.vision(image_features(one, True)[None]))
            embedding = theirs.encode_image([str(path)])[0][0]
        found.compare(f"embedding, {name}", embedding, ours.vectors([one]))


def compare_answers(theirs: Any, ours: Nextgpt, asked: Sequence[tuple[str, Request]], found: Differences) -> None:
    """Embeddings of prompts, logits behind them, and greedy answers."""
    equal = 0
    for prompt, request in asked:
        with redirect_stdout(io.StringIO()):  # it prints the prompt
            expected = theirs.prepare_generation_embedding({"prompt": prompt})
        segments = segments_of(request, ours.vocabulary)
        batch = embedded([segments], ours.embed, ours.vectors)
        label = " + ".join(type(one).__name__ if not isinstance(one, list) else f"{len(one)} ids" for one in segments)
        found.compare(f"prompt, {label}", expected, batch.inputs["inputs_embeds"])
        logits = theirs.llama_model(inputs_embeds=expected).logits
        found.compare(f"logits, {label}", logits[0], ours.llm(**batch.inputs).logits[0])
        signals = list(ours.vocabulary.added.values())
        settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "suppress_tokens": signals, "pad_token_id": 0}
        first = theirs.llama_model.generate(inputs_embeds=expected, **settings)
        second = ours.llm.generate(**batch.inputs, **settings)
        equal += torch.equal(first, second)
    print(f"greedy answers of {NEW_TOKENS} tokens that are equal: {equal} of {len(asked)}")
    found.failed |= equal < len(asked)


if __name__ == "__main__":
    main()
