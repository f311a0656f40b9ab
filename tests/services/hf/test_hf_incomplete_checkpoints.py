"""Incomplete checkpoints, in every transformers service: missing weights are refused, never silently random."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnigap.vocabulary import Modality
from omnigap_services.adapter import Adapter, Card
from omnigap_services.hf.asr import tiny as tiny_asr
from omnigap_services.hf.asr.adapter import HfAsrAdapter
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.tts import tiny as tiny_tts
from omnigap_services.hf.tts.adapter import TtsAdapter
from omnigap_services.options import OptionsError
from tests.helpers.altered import altered, copied, without
from tests.services.hf import other_asr, other_tts, tiny_codecs, tiny_phi
from tests.services.hf.hosting import Build, Built, Host

# One architecture for each way of loading, and a weight of it that every answer depends on.
KINDS: tuple[tuple[Callable[..., Adapter], Build, str], ...] = (
    (ChatAdapter, tiny_chat.llama, "model.layers.1.mlp.up_proj.weight"),
    (HfAsrAdapter, tiny_asr.whisper, "model.decoder.layers.0.fc1.weight"),
    (HfAsrAdapter, tiny_asr.wav2vec2, "lm_head.weight"),
    (HfAsrAdapter, other_asr.parakeet_tdt, "decoder.embedding.weight"),
    (HfAsrAdapter, other_asr.moonshine, "model.decoder.layers.0.mlp.fc1.weight"),
    (TtsAdapter, tiny_tts.vits, "decoder.conv_pre.weight"),
    (TtsAdapter, other_tts.speecht5, "speech_decoder_postnet.feat_out.weight"),
    (TtsAdapter, tiny_codecs.bark, "semantic.lm_head.weight"),
    (TtsAdapter, tiny_codecs.csm, "lm_head.weight"),
    (TtsAdapter, tiny_codecs.dia, "model.encoder.norm.weight"),
)
each_kind = pytest.mark.parametrize(
    ("service", "build", "absent"), KINDS, ids=[build.__name__ for _, build, _ in KINDS]
)


def loaded(service: Callable[..., Adapter], folder: Path, **options: Any) -> Card:
    if (folder / "vocoder").is_dir():
        options = {"vocoder": str(folder / "vocoder"), "voices": {"first": str(folder / "first.npy")}, **options}
    return service({"model": str(folder), **options}).load()


@each_kind
def test_missing_weights_are_refused_unless_they_are_allowed(
    service: Callable[..., Adapter], build: Build, absent: str, built: Built, tmp_path: Path
) -> None:
    folder = without(copied(built(build), tmp_path / "half-fetched"), absent)
    with pytest.raises(OptionsError, match=rf"'model'.* half-fetched lacks 1 weight .*\({absent}\)") as caught:
        loaded(service, folder)
    assert "allow_missing_weights" in str(caught.value)
    card = loaded(service, folder, allow_missing_weights=[absent])
    assert json.loads(card.settings["allow_missing_weights"]) == [absent]
    assert json.loads(loaded(service, built(build)).settings["allow_missing_weights"]) == []


def test_many_missing_weights_are_counted_and_the_first_few_named(built: Built, tmp_path: Path) -> None:
    folder = without(copied(built(tiny_chat.llama), tmp_path / "half"), "model.layers.1.")
    with pytest.raises(OptionsError, match=r"lacks 9 weights .*\((model\.layers\.1\.[\w.]+, ){3}\.\.\.\)"):
        loaded(ChatAdapter, folder)
    with pytest.raises(OptionsError, match=r"lacks 2 weights .*layernorm"):
        loaded(ChatAdapter, folder, allow_missing_weights=["model.layers.1.mlp.*", "*.self_attn.?_proj.weight"])
    assert loaded(ChatAdapter, folder, allow_missing_weights=["model.layers.1.*"]).name == "half"


@each_kind
def test_weights_of_another_shape_are_refused_with_both_shapes(
    service: Callable[..., Adapter], build: Build, absent: str, built: Built, tmp_path: Path
) -> None:
    def cut(weights: dict[str, Any]) -> Mapping[str, Any]:
        return {**weights, absent: weights[absent][:-1].contiguous()}

    folder = altered(copied(built(build), tmp_path / "cut"), cut)
    with pytest.raises(OptionsError, match=rf"cut has 1 weight in another shape .*{absent} [\dx]+ for [\dx]+"):
        loaded(service, folder, allow_missing_weights=["*"])


def test_vocoders_and_codecs_are_checked_as_well(built: Built, tmp_path: Path) -> None:
    voice = copied(built(other_tts.speecht5), tmp_path / "voice")
    without(voice / "vocoder", "conv_post.weight")
    with pytest.raises(OptionsError, match=r"'vocoder'.* vocoder lacks 1 weight .*conv_post"):
        loaded(TtsAdapter, voice)
    dia = copied(built(tiny_codecs.dia), tmp_path / "dia")
    processor = dia / "processor_config.json"
    processor.write_text(processor.read_text().replace(str(built(tiny_codecs.dia)), str(dia)))
    assert str(dia) in processor.read_text()
    without(dia / "codec", "decoder.conv1.")
    with pytest.raises(OptionsError, match=r"'model'.*codec lacks \d weights? .*decoder\.conv1"):
        loaded(TtsAdapter, dia)


def test_a_lora_adapter_that_lacks_weights_is_refused(built: Built, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(built(tiny_phi.phi4), tmp_path / "phi")
    file = folder / "speech-lora" / "adapter_model.safetensors"
    weights = load_file(file)
    absent = next(name for name in sorted(weights) if "lora_B" in name)
    del weights[absent]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(OptionsError, match=r"'adapters'.*speech-lora lacks 1 weight .*lora_B"):
        loaded(ChatAdapter, folder)


def old_names(weights: dict[str, Any]) -> Mapping[str, Any]:
    """Weight norms as older versions of torch named them: facebook/mms-tts-* and most wav2vec 2.0 have them so."""
    found = {}
    for name, weight in weights.items():
        stem, _, number = name.partition(".parametrizations.weight.original")
        found[f"{stem}.weight_{'gv'[int(number)]}" if number else name] = weight
    assert any(name.endswith(".weight_g") for name in found)
    return found


def test_a_vits_with_old_weight_norms_gives_the_same_audio(built: Built, hosted: Host, tmp_path: Path) -> None:
    new = built(tiny_tts.vits)
    old = altered(copied(new, tmp_path / "old"), old_names)
    first, second = (
        hosted(TtsAdapter({"model": str(folder)})).ask("Who was it?", output=Modality.SPEECH).audio
        for folder in (new, old)
    )
    assert first is not None
    assert second is not None
    assert np.array_equal(first.samples, second.samples)


@pytest.mark.parametrize(
    ("service", "build"), [(HfAsrAdapter, tiny_asr.wav2vec2), (TtsAdapter, tiny_codecs.bark)], ids=["asr", "codec"]
)
def test_old_weight_norms_are_not_missing(
    service: Callable[..., Adapter], build: Build, built: Built, tmp_path: Path
) -> None:
    assert loaded(service, altered(copied(built(build), tmp_path / "old"), old_names)).name == "old"


def test_weights_for_training_only_are_not_missing(built: Built, tmp_path: Path) -> None:
    """facebook/wav2vec2-base-960h lacks its embedding of masked audio."""
    folder = without(copied(built(tiny_asr.wav2vec2), tmp_path / "asr"), "wav2vec2.masked_spec_embed")
    assert loaded(HfAsrAdapter, folder).name == "asr"
