"""Checkpoints that lack a file or hold a wrong one: refused with the file's name, or used with what is assumed."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.media import AudioClip
from omnigap_services.adapter import Adapter
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.checkpoint_files import find_checkpoint
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import SHIPPED_CHECKPOINT, AsrOptions
from omnigap_services.demo.adapter import DemoAdapter
from omnigap_services.options import OptionsError
from omnigap_services.server.describe import describe
from tests.services.asr.broken_checkpoints import OPENAI, copy_of_shipped, cut_to, with_keys, with_text, without

Change = Callable[[Path], None]

PREPROCESSOR = "preprocessor_config.json"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 75537502\n"

REFUSED: dict[str, tuple[Change, str]] = {
    "model.bin missing": (without("model.bin"), r"model\.bin is missing; the folder has .*config\.json"),
    "model.bin truncated": (cut_to("model.bin", 3_000_000), r"model\.bin is incomplete: it ends after 3,000,000 bytes"),
    "model.bin without its last byte": (cut_to("model.bin", 5_840_181), r"model\.bin does not load on .*incomplete"),
    "model.bin empty": (cut_to("model.bin", 0), r"model\.bin is incomplete or damaged \(0 bytes\)"),
    "model.bin a pointer": (with_text("model.bin", LFS), r"model\.bin is a Git LFS pointer .*git lfs pull"),
    "config.json missing": (without("config.json"), r"config\.json is missing: copy"),
    "config.json damaged": (with_text("config.json", "{"), r"config\.json is damaged"),
    "config.json of transformers": (with_text("config.json", '{"d_model": 384}'), r"config\.json is not CTranslate2's"),
    "config.json empty": (with_text("config.json", "{}"), r"config\.json is not CTranslate2's"),
    "config.json with other values": (
        with_keys("config.json", suppress_ids=3),
        r"config\.json has no list as suppress",
    ),
    "tokenizer.json missing": (without("tokenizer.json"), r"tokenizer\.json is missing .*hf download"),
    "tokenizer.json damaged": (with_text("tokenizer.json", "{"), r"tokenizer\.json is damaged"),
    "vocabulary missing": (without("vocabulary.json"), r"vocabulary\.json or vocabulary\.txt is missing"),
    "vocabulary damaged": (with_text("vocabulary.json", "["), r"vocabulary\.json is damaged"),
    "vocabulary no list": (with_text("vocabulary.json", "{}"), r"vocabulary\.json holds no JSON list"),
    "another vocabulary": (with_text("vocabulary.json", '["a", "b"]'), r"tokenizer\.json and vocabulary\.json are of"),
    "preprocessor damaged": (with_text(PREPROCESSOR, "{"), r"preprocessor_config\.json is damaged"),
    "preprocessor no object": (with_text(PREPROCESSOR, "[]"), r"preprocessor_config\.json holds no JSON object"),
    "other mel bins": (with_keys(PREPROCESSOR, feature_size=128), r"feature_size 128, but model\.bin has 80 mel bins"),
    "mel bins as text": (with_keys(PREPROCESSOR, feature_size="80"), r"feature_size = '80' instead of a whole number"),
    "no hop": (with_keys(PREPROCESSOR, hop_length=0), r"hop_length = 0"),
    "another rate": (with_keys(PREPROCESSOR, sampling_rate=8_000), r"sampling_rate 8000: only 16000"),
    "too long a window": (with_keys(PREPROCESSOR, chunk_length=90), r"window of 4,500 frames .*has 3,000"),
    "too short a window": (
        with_text(PREPROCESSOR, json.dumps({**OPENAI, "hop_length": 320})),
        r"window of 1,500 frames .*has 3,000",
    ),
    "padding no number": (with_keys(PREPROCESSOR, padding_seconds="5"), r"padding_seconds = '5' instead of seconds"),
    "padding not finite": (with_keys(PREPROCESSOR, padding_seconds=float("nan")), r"padding_seconds = nan"),
    "trained negative": (with_keys(PREPROCESSOR, trained_seconds=-1), r"trained_seconds = -1"),
}


@pytest.mark.parametrize(("change", "expected"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("service", [AsrAdapter, DemoAdapter])
def test_an_unusable_folder_is_refused_with_file_and_option(
    tmp_path: Path, change: Change, expected: str, service: type[Adapter]
) -> None:
    folder = copy_of_shipped(tmp_path / "mine")
    change(folder)
    option = "checkpoint" if service is AsrAdapter else "asr_checkpoint"
    with pytest.raises(OptionsError, match=expected) as refused:
        service({option: str(folder)}).load()
    assert f"the option {option}: {folder} can't be used" in str(refused.value)


@given(size=st.integers(0, 5_840_181))
@settings(max_examples=25, deadline=None)
def test_a_model_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    folder = tmp_path_factory.mktemp("cut") / "mine"
    folder.mkdir()
    for path in SHIPPED_CHECKPOINT.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "model.bin").unlink()
    (folder / "model.bin").write_bytes((SHIPPED_CHECKPOINT / "model.bin").read_bytes()[:size])
    with pytest.raises(OptionsError, match=r"model\.bin"):
        AsrEngine(AsrOptions(checkpoint=str(folder)))
    shutil.rmtree(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"])
def test_a_folder_of_transformers_gets_the_command_that_converts_it(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    expected = f"`ct2-transformers-converter --model {tmp_path} --output_dir {tmp_path.name}-ct2 --copy_files tokenizer"
    with pytest.raises(OptionsError, match=re.escape(expected)):
        find_checkpoint(AsrOptions(checkpoint=str(tmp_path)))


def test_a_file_and_the_folder_above_are_refused_with_the_folder(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path / "outer" / "inner")
    with pytest.raises(OptionsError, match=re.escape(f"it is a file: name its folder, {folder}")):
        find_checkpoint(AsrOptions(checkpoint=str(folder / "model.bin")))
    with pytest.raises(OptionsError, match=re.escape(f"it is in {folder}: name that folder")):
        find_checkpoint(AsrOptions(checkpoint=str(folder.parent)))
    with pytest.raises(OptionsError, match="there is no such folder"):
        find_checkpoint(AsrOptions(checkpoint=str(tmp_path / "none")))


def test_a_revision_belongs_to_a_hub_name(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path / "mine")
    with pytest.raises(OptionsError, match=r"revision is of a hub name.*identified by its content: remove it"):
        find_checkpoint(AsrOptions(checkpoint=str(folder), revision="main"))


@pytest.mark.parametrize("name", ["tiny.en", "Systran/faster-whisper-tiny.en"])
def test_a_hub_name_without_a_hub_names_what_to_download(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    expected = r"repository Systran/.*-tiny\.en .*`hf download Systran/faster-whisper-tiny\.en` where the hub"
    with pytest.raises(OptionsError, match=expected):
        AsrAdapter({"checkpoint": name}).load()
    with pytest.raises(OptionsError, match=f"the option asr_checkpoint is {re.escape(repr(name))}"):
        DemoAdapter({"asr_checkpoint": name}).load()


def test_an_unknown_name_gets_the_closest_one() -> None:
    with pytest.raises(OptionsError, match=r"is 'tinny\.en', which is neither a folder .*did you mean 'tiny\.en'"):
        find_checkpoint(AsrOptions(checkpoint="tinny.en"))


def test_without_a_preprocessor_file_the_mel_bins_are_those_of_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy_of_shipped(tmp_path / "mine")
    (folder / PREPROCESSOR).unlink()
    with caplog.at_level(logging.WARNING):
        card = AsrAdapter({"checkpoint": str(folder)}).load()
    expected = "no preprocessor_config.json: feature_size 80 (as model.bin), sampling_rate 16000, hop_length 160"
    assert card.settings["assumed"].startswith(expected)
    assert expected in caplog.text
    assert "assumed" not in AsrAdapter({}).load().settings
    # The composition shows it too.
    demo = DemoAdapter({"asr_checkpoint": str(folder)})
    assert demo.load().settings["asr_assumed"] == card.settings["assumed"]
    demo.close()


def test_a_config_that_suppresses_nothing_is_used_and_said(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path / "mine")
    with_keys("config.json", suppress_ids_begin=None)(folder)
    (said,) = find_checkpoint(AsrOptions(checkpoint=str(folder))).assumed
    assert said == "config.json without suppress_ids_begin: no tokens are suppressed by it"


def test_a_preprocessor_file_without_mel_bins_gets_those_of_the_model(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path / "mine")
    with_keys(PREPROCESSOR, feature_size=None)(folder)
    engine = AsrEngine(AsrOptions(checkpoint=str(folder)))
    assert engine.checkpoint.assumed == (
        "preprocessor_config.json without feature_size: feature_size 80 (as model.bin)",
    )


def test_padding_is_refused_where_the_checkpoint_declares_none(
    tmp_path: Path, say: Callable[..., AudioClip], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy_of_shipped(tmp_path / "mine", OPENAI)
    for seconds in (0.5, 5, 29.9):
        with pytest.raises(OptionsError, match=r"padding_s is .*mine was not trained so.*force_padding = true"):
            AsrEngine(AsrOptions(checkpoint=str(folder), padding_s=seconds))
    with pytest.raises(OptionsError, match=r"padding_s is 45: set at most 30, the window"):
        AsrEngine(AsrOptions(checkpoint=str(folder), padding_s=45, force_padding=True))
    whole = [AsrAdapter({"checkpoint": str(folder), **more}) for more in ({}, {"padding_s": 0}, {"padding_s": 30})]
    cards = [adapter.load() for adapter in whole]
    assert len({describe(card, AsrAdapter).digest for card in cards}) == 1
    forced = AsrAdapter({"checkpoint": str(folder), "padding_s": 5, "force_padding": True}).load()
    assert (forced.settings["force_padding"], forced.settings["padding_frames"]) == ("True", "500")
    assert "for which it was not trained" in caplog.text
    assert describe(forced, AsrAdapter).digest != describe(cards[0], AsrAdapter).digest
    declared = AsrAdapter({"padding_s": 10}).load()
    assert "force_padding" not in declared.settings


def test_a_composition_has_the_same_rule_for_padding(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path / "mine", OPENAI)
    options = {"asr_checkpoint": str(folder), "asr_padding_s": 5}
    with pytest.raises(OptionsError, match=r"the option asr_padding_s is 5.*asr_force_padding = true"):
        DemoAdapter(options).load()
    forced, whole = DemoAdapter({**options, "asr_force_padding": True}), DemoAdapter({"asr_checkpoint": str(folder)})
    cards = [forced.load(), whole.load()]
    forced.close()
    whole.close()
    assert cards[0].settings["asr_force_padding"] == "True"
    assert len({describe(card, DemoAdapter).digest for card in cards}) == 2
