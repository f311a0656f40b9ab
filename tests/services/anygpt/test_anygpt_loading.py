"""What a checkpoint lacks is named with the option that fixes it; every file that changes answers is in the digest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from omnigap.vocabulary import CONDITIONS, Modality, Support
from omnigap_services.adapter import Card
from omnigap_services.anygpt.adapter import AnygptAdapter
from omnigap_services.anygpt.vocabulary import SPEECH_PREFIX
from omnigap_services.options import OptionsError
from tests.services.anygpt.recorded import ask, eight

if TYPE_CHECKING:
    from tests.services.anygpt.conftest import Make

Copy = Callable[[str], Path]


@pytest.fixture
def copy(options: dict[str, object], tmp_path: Path) -> Copy:
    """Copies the folder of an option."""

    def copied(option: str) -> Path:
        return Path(shutil.copytree(str(options[option]), tmp_path / option))

    return copied


def refusal(make: Make, **changed: Any) -> str:
    with pytest.raises(OptionsError) as refused:
        make(**changed)
    assert str(refused.value).startswith("service anygpt: ")
    return str(refused.value)


@pytest.mark.parametrize(
    ("option", "file"),
    [
        ("speech_modules", "speechtokenizer/config.json"),
        ("speech_modules", "speechtokenizer/ckpt.dev"),
        ("speech_modules", "soundstorm/speechtokenizer_soundstorm_mls.pt"),
        ("image_tokenizer", "seed_quantizer.pt"),
        ("checkpoint", "tokenizer.model"),
        ("checkpoint", "config.json"),
        ("checkpoint", "model.safetensors"),
    ],
)
def test_a_missing_file_is_named(make: Make, copy: Copy, option: str, file: str) -> None:
    folder = copy(option)
    (folder / file).unlink()
    text = refusal(make, **{option: str(folder)})
    assert f"option '{option}'" in text
    assert Path(file).name in text


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"speech_modules": ""}, ("option 'speech_modules'", "set speech to false")),
        ({"image_tokenizer": ""}, ("option 'image_tokenizer'", "set image to false")),
        ({"speech_modules": "fnlp/AnyGPT-speech-modules"}, ("option 'speech_modules'", "full commit")),
        ({"image_tokenizer": "AILab-CVC/seed-tokenizer-2"}, ("option 'image_tokenizer'", "full commit")),
        ({"checkpoint": "fnlp/AnyGPT-chat"}, ("option 'checkpoint'", "full commit")),
        ({"voice_clip": "none.wav"}, ("option 'voice_clip'", "can't be read")),
        ({"voice_clip": "voice.docx"}, ("option 'voice_clip'", ".wav")),
        ({"vision_encoder": "none/eva_vit_g.pth"}, ("option 'vision_encoder'",)),
    ],
)
def test_an_option_that_leads_nowhere_is_named(make: Make, changed: dict[str, Any], named: tuple[str, ...]) -> None:
    text = refusal(make, **changed)
    assert all(part in text for part in named), text


def test_a_gap_in_the_speech_tokens_is_refused(make: Make, copy: Copy) -> None:
    folder = copy("checkpoint")
    path = folder / "added_tokens.json"
    added = json.loads(path.read_text(encoding="utf-8"))
    del added[f"<{SPEECH_PREFIX}500>"]
    path.write_text(json.dumps(added), encoding="utf-8")
    assert f"<{SPEECH_PREFIX}500>" in refusal(make, checkpoint=str(folder))


@pytest.mark.parametrize(
    ("kept", "kind", "switch"), [("speech", "image", "image = false"), ("image", "speech", "speech = false")]
)
def test_a_checkpoint_without_tokens_of_a_kind_is_refused(
    make: Make, copy: Copy, kept: str, kind: str, switch: str
) -> None:
    prefix = SPEECH_PREFIX if kind == "speech" else "\U0001f440"
    folder = copy("checkpoint")
    path = folder / "added_tokens.json"
    added = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({t: n for t, n in added.items() if prefix not in t}), encoding="utf-8")
    assert f"has no {kind} tokens" in refusal(make, checkpoint=str(folder))
    assert make(checkpoint=str(folder), **{kind: False})


def test_fewer_speech_tokens_than_codes_are_refused(make: Make, copy: Copy) -> None:
    folder = copy("checkpoint")
    path = folder / "added_tokens.json"
    added = json.loads(path.read_text(encoding="utf-8"))
    del added[f"<{SPEECH_PREFIX}1023>"]
    path.write_text(json.dumps(added), encoding="utf-8")
    assert "1024 codes, but the checkpoint has 1023 speech tokens" in refusal(make, checkpoint=str(folder))


def test_another_model_type_and_too_few_embeddings_are_refused(make: Make, copy: Copy) -> None:
    folder = copy("checkpoint")
    path = folder / "added_tokens.json"
    added = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**added, "<extra>": max(added.values()) + 1}), encoding="utf-8")
    assert "embeddings for" in refusal(make, checkpoint=str(folder))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mistral"}), encoding="utf-8")
    assert "is a mistral" in refusal(make, checkpoint=str(folder))


def test_a_checkpoint_that_lacks_weights_is_refused(make: Make, copy: Copy) -> None:
    from safetensors.torch import load_file, save_file

    folder = copy("checkpoint")
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "model.norm.weight" in refusal(make, checkpoint=str(folder))


def test_weights_in_pytorchs_older_format_are_read(make: Make, copy: Copy, adapter: AnygptAdapter) -> None:
    from safetensors.torch import load_file

    folder = copy("checkpoint")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    question = eight(Modality.TEXT)[0]
    assert ask(make(checkpoint=str(folder)), question)[0].same == ask(adapter, question)[0].same


def test_the_image_tokenizer_is_named_by_its_own_path(make: Make, copy: Copy, adapter: AnygptAdapter) -> None:
    path = copy("image_tokenizer") / "seed_quantizer.pt"
    path = path.rename(path.with_name("seed.pt"))
    found = make(image_tokenizer=str(path))
    question = eight(Modality.TEXT)[2]
    assert ask(found, question)[0].same == ask(adapter, question)[0].same
    # config.json beside it holds the sizes of the tiny one.
    revision = found._loaded.files["image_tokenizer"]
    config = path.with_name("config.json")
    config.write_bytes(config.read_bytes() + b"\n")
    assert make(image_tokenizer=str(path))._loaded.files["image_tokenizer"] != revision


@pytest.mark.parametrize("whole", [True, False])
def test_the_vision_encoder_is_a_file_or_its_folder(make: Make, copy: Copy, tmp_path: Path, whole: bool) -> None:
    path = copy("image_tokenizer") / "seed_quantizer.pt"
    tensors = torch.load(path, weights_only=True)
    prefix = "visual_encoder."
    (eva := tmp_path / "eva").mkdir()
    torch.save({n.removeprefix(prefix): t for n, t in tensors.items() if prefix in n}, eva / "eva_vit_g.pth")
    torch.save({n: t for n, t in tensors.items() if prefix not in n}, path)
    assert "name eva_vit_g.pth in 'vision_encoder'" in refusal(make, image_tokenizer=str(path))
    named = eva if whole else eva / "eva_vit_g.pth"
    assert make(image_tokenizer=str(path), vision_encoder=str(named))


def card(**options: Any) -> Card:
    return AnygptAdapter(options).load()


def test_every_file_beside_the_language_model_is_in_the_settings(
    options: dict[str, object], copy: Copy, tmp_path: Path
) -> None:
    before = card(**options)
    modules, images = copy("speech_modules"), copy("image_tokenizer")
    same = card(**{**options, "speech_modules": str(modules), "image_tokenizer": str(images)})
    assert (same.settings, same.weights_revision) == (before.settings, before.weights_revision)
    files = [
        *("speechtokenizer/config.json", "speechtokenizer/ckpt.dev", "soundstorm/config.json"),
        *("soundstorm/speechtokenizer_soundstorm_mls.pt",),
    ]
    for path in [*(modules / file for file in files), images / "seed_quantizer.pt", images / "config.json"]:
        whole = path.read_bytes()
        if path.suffix == ".json":
            path.write_bytes(whole + b"\n")
        else:
            tensors = torch.load(path, weights_only=True)
            name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
            torch.save({**tensors, name: tensors[name] * 0.5}, path)
        changed = card(**{**options, "speech_modules": str(modules), "image_tokenizer": str(images)})
        assert changed.settings != before.settings, path
        path.write_bytes(whole)


def test_speech_and_images_can_be_left_out(options: dict[str, object]) -> None:
    kept = {"checkpoint": options["checkpoint"], "max_new_tokens": 8}
    for changed, expected in (
        ({"speech": False, "image_tokenizer": options["image_tokenizer"]}, "t2t i2t"),
        ({"image": False, "speech_modules": options["speech_modules"]}, "t2t s2t t2s s2s"),
        ({"speech": False, "image": False}, "t2t"),
    ):
        adapter = AnygptAdapter({**kept, **changed})
        found = adapter.load()
        supported = [c.name for c in CONDITIONS if found.conditions[c].support is not Support.UNSUPPORTED]
        assert sorted(supported) == sorted(expected.split())
        assert all(found.conditions[c].reason for c in CONDITIONS if c.name not in supported)
        warm_up = adapter.warm_up()
        assert warm_up is not None
        assert ask(adapter, warm_up)[0].done


def test_the_tiny_checkpoint_is_the_same_at_every_start_and_keeps_the_users_options(tmp_path: Path) -> None:
    given = {"seed": 4, "max_new_tokens": 3, "revision": "0" * 40, "checkpoint": "fnlp/AnyGPT-chat"}
    cards = []
    for number in range(2):
        folder = tmp_path / str(number) / "anygpt-tiny"
        folder.mkdir(parents=True)
        options = AnygptAdapter.build_tiny(given, folder)
        assert (options["seed"], options["max_new_tokens"]) == (4, 3)
        assert "revision" not in options
        cards.append(card(**options))
    assert cards[0] == cards[1]
    assert cards[0].name == "anygpt-tiny"
