"""Vicuna, delta and ImageBind are loaded whole: LoRA as peft merges it, and no weight unused, missing or random."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from omnigap.vocabulary import Condition, Support
from omnigap_services.adapter import Card
from omnigap_services.nextgpt.adapter import NextgptAdapter
from omnigap_services.nextgpt.loading import Nextgpt, load_nextgpt
from omnigap_services.nextgpt.options import NextgptOptions
from omnigap_services.nextgpt.prompt import ADDED_TOKENS
from omnigap_services.options import OptionsError

Options = dict[str, object]
PREFIX = "llama_model.base_model.model."
I2T = Condition.parse("i2t")


def loaded(options: Options) -> Nextgpt:
    return load_nextgpt(NextgptOptions.model_validate(options))


def change(options: Options, edit: Callable[[dict[str, torch.Tensor]], Any], option: str = "delta") -> None:
    """Changes the tensors of a part."""
    path = Path(str(options[option]))
    path = path / "pytorch_model.pt" if path.is_dir() else path
    tensors = torch.load(path, weights_only=True)
    edit(tensors)
    torch.save(tensors, path)


def rename(old: str, new: str) -> Callable[[dict[str, torch.Tensor]], None]:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        for name in list(tensors):
            tensors[name.replace(old, new)] = tensors.pop(name)

    return edit


def card_of(options: Options) -> Card:
    return NextgptAdapter(options).load()


@pytest.mark.parametrize("alpha", [4.0, 10.0])
def test_lora_is_merged_as_peft_merges_it(alpha: float, tiny: Options) -> None:
    """peft gets the delta under its own names, as the authors' code loads it."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(str(tiny["vicuna"]))
    config = LoraConfig(r=4, lora_alpha=alpha, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
    peer = get_peft_model(model, config)  # type: ignore[arg-type]
    tensors = torch.load(Path(str(tiny["delta"])) / "pytorch_model.pt", weights_only=True)
    lora = {name.removeprefix("llama_model."): tensor for name, tensor in tensors.items() if "lora_" in name}
    found = peer.load_state_dict(lora, strict=False)
    assert not found.unexpected_keys
    merged = peer.merge_and_unload().state_dict()
    own = loaded({**tiny, "lora_alpha": alpha}).llm.state_dict()
    plain = LlamaForCausalLM.from_pretrained(str(tiny["vicuna"])).state_dict()
    layers = [name for name in own if "layers" in name]
    for name in layers:
        assert torch.equal(own[name], merged[name]), name
    assert sum(not torch.equal(own[name], plain[name]) for name in layers) == 2 * 4


def test_alpha_is_read_from_pefts_config(copied: Options) -> None:
    assert loaded(copied).lora_alpha == 32
    path = Path(str(copied["delta"]), "adapter_config.json")
    path.write_text(json.dumps({"r": 4, "lora_alpha": 8}))
    first = card_of(copied)
    assert first.settings["lora_alpha"] == "8"
    assert loaded({**copied, "lora_alpha": 5}).lora_alpha == 5
    path.write_text("{}")
    with pytest.raises(OptionsError, match=r"'delta'.*adapter_config.json.*set lora_alpha"):
        loaded(copied)


def test_the_vocabulary_has_rows_for_all_tokens(tiny: Options) -> None:
    model = loaded(tiny)
    tensors = torch.load(Path(str(tiny["delta"])) / "pytorch_model.pt", weights_only=True)
    assert len(model.vocabulary) == 601 + len(ADDED_TOKENS)
    assert torch.equal(model.llm.get_input_embeddings().weight, tensors[f"{PREFIX}model.embed_tokens.weight"])
    assert torch.equal(model.llm.lm_head.weight, tensors[f"{PREFIX}lm_head.weight"])
    assert torch.equal(model.projection.weight, tensors["llama_proj.weight"])


def test_names_without_lora_around_the_model_are_read(copied: Options) -> None:
    """As the tables are called in files of the training stages before LoRA."""
    before = loaded(copied).llm.lm_head.weight
    change(copied, lambda found: found.update({"llama_model.lm_head.weight": found.pop(f"{PREFIX}lm_head.weight")}))
    assert torch.equal(loaded(copied).llm.lm_head.weight, before)
    change(copied, lambda found: found.update({f"{PREFIX}lm_head.weight": found["llama_model.lm_head.weight"]}))
    with pytest.raises(OptionsError, match="twice"):
        loaded(copied)


def test_without_the_delta_tables_new_rows_are_zero_and_images_are_unsupported(copied: Options) -> None:
    """The library would make new rows up, differently at every start."""
    change(copied, lambda found: [found.pop(f"{PREFIX}{name}.weight") for name in ("model.embed_tokens", "lm_head")])
    model = loaded(copied)
    for table in (model.llm.get_input_embeddings(), model.llm.lm_head):
        assert not table.weight[601:].any()
        # Row 0 is that of padding.
        assert table.weight[1:601].any(dim=1).all()
    capability = card_of(copied).conditions[I2T]
    assert capability.support is Support.UNSUPPORTED
    assert "<Img>" in capability.reason


@pytest.mark.parametrize(
    ("option", "edit", "message"),
    [
        ("delta", lambda t: t.pop("llama_proj.bias"), "lacks 1 weight.*llama_proj.bias"),
        ("delta", lambda t: t.update(other=torch.zeros(1)), r"1 tensors.*not use.*other"),
        ("delta", lambda t: t.update({"llama_proj.weight": torch.zeros(3, 3)}), "3x3 for 32x24"),
        ("delta", lambda t: t.update({f"{PREFIX}lm_head.weight": torch.zeros(9, 32)}), "9 rows.*has 639 tokens"),
        ("delta", lambda t: t.update({"llama_proj.bias": torch.full((32,), torch.nan)}), "not finite.*llama_proj"),
        ("delta", rename("layers.1.", "layers.7."), r"2 layers.*layers.7.*no such layer"),
        ("delta", lambda t: t.pop(f"{PREFIX}model.layers.0.self_attn.q_proj.lora_A.default.weight"), "one of lora_A"),
        ("delta", rename("q_proj.lora", "gate_proj.lora"), "missing or wrong for model.layers.0.self_attn.q_proj"),
        ("delta", rename("lora_A.default", "lora_A"), "one of lora_A"),
        ("delta", rename("llama_", "module.llama_"), "no LoRA weights under the names.*module.llama_model.*rename"),
        ("imagebind", lambda t: t.pop("modality_heads.vision.2.weight"), "lacks the vision tower.*head.weight"),
        ("imagebind", lambda t: t.pop("modality_trunks.vision.blocks.1.norm_2.bias"), r"blocks.1.norm_2.bias"),
        ("imagebind", lambda t: t.update({"modality_trunks.taste.blocks.0.x": torch.zeros(1)}), "taste"),
        ("imagebind", rename("vision", "sight"), "lacks the vision tower"),
        ("imagebind", lambda t: t.update({"modality_heads.vision.0.bias": torch.full((32,), torch.inf)}), "not finite"),
    ],
)
def test_unknown_missing_and_damaged_tensors_are_refused(
    option: str, edit: Callable[[dict[str, torch.Tensor]], Any], message: str, copied: Options
) -> None:
    change(copied, edit, option)
    with pytest.raises(OptionsError, match=f"service nextgpt: option '{option}'") as caught:
        loaded(copied)
    assert re.search(message, str(caught.value)), caught.value


def test_the_audio_tower_is_needed_for_the_control_only(copied: Options) -> None:
    def without_audio(found: dict[str, torch.Tensor]) -> None:
        for name in [name for name in found if ".audio." in name]:
            del found[name]

    change(copied, without_audio, "imagebind")
    assert loaded(copied).audio is None
    with pytest.raises(OptionsError, match="lacks the audio tower"):
        loaded({**copied, "audio_control": True})


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("pytorch_model.pt", "'delta'.*no pytorch_model.pt"),
        ("imagebind_huge.pth", "'imagebind'"),
        ("vicuna", "'vicuna'"),
    ],
)
def test_missing_parts_are_named(remove: str, message: str, copied: Options) -> None:
    path = Path(str(copied["delta"])) / remove
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(OptionsError, match=message):
        loaded(copied)


def test_a_delta_is_named_by_its_own_path(copied: Options) -> None:
    """What is beside it is read, and is part of the revision, as in a folder."""
    folder = Path(str(copied["delta"]))
    before = loaded(copied)
    path = (folder / "pytorch_model.pt").rename(folder / "epoch_3.pt")
    named = {**copied, "delta": str(path)}
    found = loaded(named)
    assert found.name == "epoch_3.pt"
    assert torch.equal(found.llm.lm_head.weight, before.llm.lm_head.weight)
    assert found.vocabulary.added == before.vocabulary.added
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": 8}))
    changed = loaded(named)
    assert changed.lora_alpha == 8
    assert changed.revision != found.revision


def test_weights_that_do_not_fit_on_the_devices_are_refused(tiny: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """LoRA weights that are merged into an offloaded weight would be lost without an error."""
    from transformers import LlamaForCausalLM

    load = LlamaForCausalLM.from_pretrained

    def offloaded(*places: Any, **named: Any) -> Any:
        model, info = load(*places, **named)
        model.model.layers[1].to("meta")
        return model, info

    monkeypatch.setattr(LlamaForCausalLM, "from_pretrained", offloaded)
    with pytest.raises(OptionsError, match=r"service nextgpt: the weights of vicuna do not fit.*device_map"):
        loaded(tiny)


def test_vicunas_tokenizer_serves_a_delta_without_one(copied: Options) -> None:
    """The authors' code adds its tokens to that one at every start."""
    expected = loaded(copied).vocabulary.added
    folder = Path(str(copied["delta"]))
    for name in ("tokenizer.model", "added_tokens.json", "special_tokens_map.json"):
        (folder / name).unlink()
    assert loaded(copied).vocabulary.added == expected
    (folder / "vicuna" / "tokenizer.model").unlink()
    with pytest.raises(OptionsError, match=r"tokenizer\.model"):
        loaded(copied)


def test_the_revision_covers_every_file_that_is_read(copied: Options) -> None:
    folder = Path(str(copied["delta"]))
    seen = {loaded(copied).revision}
    (folder / "notes.txt").write_text("not read")
    assert loaded(copied).revision in seen
    change(copied, lambda found: found["llama_proj.bias"].add_(1))
    seen.add(loaded(copied).revision)
    change(copied, lambda found: found["modality_heads.text.2.weight"].add_(1), "imagebind")
    seen.add(loaded(copied).revision)
    map_file = folder / "special_tokens_map.json"
    map_file.write_text(json.dumps({"bos_token": "</s>"}))
    seen.add(loaded(copied).revision)
    config = folder / "vicuna" / "config.json"
    config.write_text(config.read_text().replace("{", '{"note": 1,', 1))
    seen.add(loaded(copied).revision)
    assert len(seen) == 5


def test_the_same_options_build_the_same_weights(tiny: Options, tmp_path: Path) -> None:
    (folder := tmp_path / "nextgpt-tiny").mkdir()
    again = NextgptAdapter.build_tiny({}, folder)
    assert loaded(again).revision == loaded(tiny).revision


def test_options_of_the_user_replace_those_of_the_tiny_checkpoint(tmp_path: Path) -> None:
    (folder := tmp_path / "nextgpt-tiny").mkdir()
    given = {"vicuna": "lmsys/vicuna-7b", "vicuna_revision": "0" * 40, "max_new_tokens": 3, "letterbox": False}
    found = NextgptAdapter.build_tiny(given, folder)
    assert found["max_new_tokens"] == 3
    assert found["letterbox"] is False
    assert found["vicuna"] == str(folder / "vicuna")
    assert "vicuna_revision" not in found
