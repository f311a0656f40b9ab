"""Checkpoints and options that loading refuses, and the options that change the digest."""

from __future__ import annotations

import json
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omnigap.vocabulary import Modality, Support
from omnigap_services.options import OptionsError
from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
from omnigap_services.server.describe import settings_of
from omnigap_services.torch_utils.versions import VersionError
from tests.helpers.altered import copied, without

if TYPE_CHECKING:
    from tests.services.qwen_omni.conftest import Make

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def refusal(**options: Any) -> str:
    with pytest.raises((OptionsError, ValueError)) as refused:
        QwenOmniAdapter(options).load()
    return str(refused.value)


def test_a_hub_name_needs_a_commit() -> None:
    assert "40 hex digits" in refusal(checkpoint="Qwen/Qwen2.5-Omni-7B")
    assert "'main'" in refusal(checkpoint="Qwen/Qwen2.5-Omni-7B", revision="main")


def test_the_error_for_an_unknown_checkpoint_has_the_download_command() -> None:
    message = refusal(checkpoint="Qwen/No-Such-Omni", revision=COMMIT)
    assert f"hf download Qwen/No-Such-Omni --revision {COMMIT}" in message


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    assert "no config.json" in refusal(checkpoint=str(tmp_path))


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    message = refusal(checkpoint=str(tmp_path))
    assert "'llama'" in message
    assert "qwen2_5_omni or qwen3_omni_moe" in message


@pytest.mark.parametrize("version", ["5.15.1", "5.24.0", "4.57.6"])
def test_an_unsupported_transformers_is_refused(
    version: str, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: version if name == "transformers" else real(name))
    with pytest.raises(VersionError, match=f"transformers 5.16 to 5.23, but {version} is installed"):
        QwenOmniAdapter({"checkpoint": str(checkpoints["qwen3"])}).load()


def test_an_unknown_speaker_is_refused_with_the_known_ones(checkpoints: dict[str, Path]) -> None:
    assert "Chelsie" in refusal(checkpoint=str(checkpoints["qwen2.5"]), speaker="Cherry")


def test_an_unknown_option_is_refused_with_its_name() -> None:
    with pytest.raises(OptionsError, match="'batchsize'"):
        QwenOmniAdapter({"checkpoint": "x", "batchsize": 4})


def test_without_speech_the_three_spoken_conditions_are_unsupported(make: Make, kind: str) -> None:
    card = make(kind, loaded=False, speech=False).load()
    assert {c.name for c, found in card.conditions.items() if found.support is Support.NATIVE} == {"t2t", "s2t", "i2t"}
    spoken = [found for c, found in card.conditions.items() if c.output is Modality.SPEECH]
    assert all(found.support is Support.UNSUPPORTED and "speech = false" in found.reason for found in spoken)
    assert card.output_sample_rate_hz == 0


def test_the_upstream_profile_has_batch_size_one_and_is_part_of_the_digest(make: Make, kind: str) -> None:
    greedy, upstream = (make(kind, loaded=False, profile=profile).load() for profile in ("greedy", "upstream"))
    assert (greedy.max_batch_size, upstream.max_batch_size) == (8, 1)
    assert greedy.settings["talker"] == "greedy; repetition_penalty 1.05"
    sampled = {"qwen2.5": "temperature 0.9, top_k 40, top_p 0.8", "qwen3": "temperature 0.9, top_k 50, top_p 1.0"}
    assert upstream.settings["talker"] == f"sampled: {sampled[kind]}; repetition_penalty 1.05"


@pytest.fixture(scope="module")
def plain(make: Make) -> dict[str, str]:
    """The settings in the digest without options."""
    return settings_of(make("qwen3", loaded=False).load(), QwenOmniAdapter)


@pytest.mark.parametrize(
    ("option", "enters"),
    [
        ({"max_new_tokens": 13}, True),
        ({"talker_max_new_tokens": 31}, True),
        ({"system_prompt": "Be brief."}, True),
        ({"speaker": "Chelsie"}, True),
        ({"seed": 1}, True),
        ({"wave_chunk_frames": 100}, True),
        ({"max_batch_size": 2}, False),
        ({"max_batch_tokens": 512}, False),
        ({"max_queue": 3}, False),
    ],
)
def test_options_that_change_answers_are_part_of_the_digest(
    make: Make, plain: dict[str, str], option: dict[str, Any], enters: bool
) -> None:
    changed = settings_of(make("qwen3", loaded=False, **option).load(), QwenOmniAdapter)
    assert (changed != plain) == enters


def test_the_weights_revision_depends_on_the_content(checkpoints: dict[str, Path], make: Make, tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(checkpoints["qwen3"], copied)
    same = make("qwen3", loaded=False, checkpoint=str(copied)).load()
    first = make("qwen3", loaded=False).load()
    assert first.name != same.name == "elsewhere"
    assert settings_of(same, QwenOmniAdapter) == settings_of(first, QwenOmniAdapter)
    config = json.loads((copied / "generation_config.json").read_text())
    (copied / "generation_config.json").write_text(json.dumps({**config, "top_k": 7}))
    assert make("qwen3", loaded=False, checkpoint=str(copied)).load().weights_revision != same.weights_revision


SPEECH = ("talker.", "token2wav.", "code2wav.")


def test_missing_weights_are_refused_unless_they_are_allowed(
    make: Make, kind: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    absent = "layers.0.self_attn.o_proj.weight"
    half = str(without(copied(checkpoints[kind], tmp_path / "half-fetched"), f"thinker.model.{absent}"))
    message = refusal(checkpoint=half)
    assert re.search(rf"'checkpoint': the checkpoint half-fetched lacks 1 weight .*{absent}\)", message)
    assert "allow_missing_weights" in message
    named = [f"thinker.model.*{absent}"]
    card = make(kind, loaded=False, checkpoint=half, allow_missing_weights=named).load()
    assert json.loads(card.settings["allow_missing_weights"]) == named


def test_without_speech_the_talkers_weights_are_not_missing(
    make: Make, kind: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    thinker = str(without(copied(checkpoints[kind], tmp_path / "thinker"), *SPEECH))
    message = refusal(checkpoint=thinker)
    assert re.search(r"lacks \d+ weights .*(talker|code2wav|token2wav)\.", message)
    assert "set speech to false" in message
    assert make(kind, loaded=False, checkpoint=thinker, speech=False).load().output_sample_rate_hz == 0


def test_a_checkpoint_saved_without_a_talker_is_complete(
    make: Make, kind: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    no_talker = str(without(copied(checkpoints[kind], tmp_path / "no_talker", enable_audio_output=False), *SPEECH))
    assert "saved without a talker" in refusal(checkpoint=no_talker)
    assert make(kind, loaded=False, checkpoint=no_talker, speech=False).load().output_sample_rate_hz == 0


def test_a_checkpoint_without_its_speakers_still_answers_in_text(
    make: Make, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    folder = copied(checkpoints["qwen2.5"], tmp_path / "no-speakers")
    (folder / "spk_dict.pt").unlink()
    assert "lacks spk_dict.pt" in refusal(checkpoint=str(folder))
    assert make("qwen2.5", loaded=False, checkpoint=str(folder), speech=False).load().name == "no-speakers"
