"""`hf-chat`: options and their errors, prompts, the card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from omnigap.vocabulary import Architecture, Condition, Modality, Support
from omnigap_services.adapter import Card, Request
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.options import OptionsError
from tests.services.hf.hosting import Built


def card(folder: Path, **options: object) -> Card:
    return ChatAdapter({"model": str(folder), **options}).load()


def test_the_card_lists_capabilities_and_reasons(built: Built) -> None:
    found = card(
        built(tiny_chat.qwen2_audio), architecture="native_omni", name="audio", reasons={"s2t": "30 s at most"}
    )
    assert (found.name, found.architecture) == ("audio", Architecture.NATIVE_OMNI)
    capabilities = {condition.name: (able.support, able.reason) for condition, able in found.conditions.items()}
    assert capabilities["t2t"] == (Support.NATIVE, "")
    assert capabilities["s2t"] == (Support.NATIVE, "30 s at most")
    assert capabilities["i2t"] == (Support.UNSUPPORTED, "its processor takes no images")
    assert capabilities["t2s"] == (Support.UNSUPPORTED, "it has no speech output")
    assert found.input_sample_rate_hz == 16_000


def test_conditions_can_be_left_out_but_not_added(built: Built) -> None:
    folder = built(tiny_chat.llava)
    only_text = card(folder, conditions=["t2t"])
    assert only_text.conditions[Condition(Modality.IMAGE, Modality.TEXT)].support is Support.UNSUPPORTED
    with pytest.raises(OptionsError, match=r"s2t.*takes no audio"):
        card(folder, conditions=["s2t"])
    with pytest.raises(OptionsError, match="t2s needs speech"):
        ChatAdapter({"model": str(folder), "conditions": ["t2s"]})


def test_settings_change_with_the_options_that_change_answers(built: Built) -> None:
    folder = built(tiny_chat.llama)
    plain = card(folder).settings
    for change in ({"temperature": 0.5}, {"system_prompt": "Be brief."}, {"template_arguments": {"a": 1}}):
        assert card(folder, **change).settings != plain
    for change in ({"max_batch_size": 2}, {"max_queue": 3}, {"cpu_threads": 1}):
        assert card(folder, **change).settings == plain


def test_the_system_prompt_goes_before_the_question_if_the_template_drops_it(built: Built, tmp_path: Path) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}=")
    adapter = ChatAdapter({"model": str(built(tiny_chat.llama)), "chat_template": str(template)})
    settings = adapter.load().settings
    assert settings["system_role"] == "user"
    request = Request(parts=("Who?",), output=Modality.TEXT, system_prompt="Be brief.")
    assert adapter._generation._prompt_builder.build([request], {}).texts == ("Be brief.\n\nWho?=",)


def test_a_template_may_refuse_the_system_role(built: Built, tmp_path: Path) -> None:
    template = tmp_path / "template.jinja"
    template.write_text(
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{{ messages[0]['content'] }}="
    )
    found = card(built(tiny_chat.llama), chat_template=str(template))
    assert found.settings["system_role"] == "user"


def test_media_come_before_the_typed_text_unless_media_first_is_false(built: Built) -> None:
    from PIL import Image

    request = Request(parts=("One word.", Image.new("RGB", (8, 8))), output=Modality.TEXT)
    found = []
    for media_first in (True, False):
        adapter = ChatAdapter({"model": str(built(tiny_chat.llava)), "media_first": media_first})
        adapter.load()
        found.append(adapter._generation._prompt_builder.build([request], {}).texts[0])
    assert found == ["user: <image>One word.\nassistant:", "user: One word.<image>\nassistant:"]


def changed(folder: Path, to: Path, **config: object) -> Path:
    shutil.copytree(folder, to)
    path = to / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return to


def test_unsupported_models_are_refused_with_advice(built: Built, tmp_path: Path) -> None:
    llama = built(tiny_chat.llama)
    with pytest.raises(OptionsError, match="not a model of kind image-text"):
        card(llama, kind="image-text")
    with pytest.raises(OptionsError, match="qwen-omni"):
        card(changed(llama, tmp_path / "omni", model_type="qwen2_5_omni"))
    with pytest.raises(OptionsError, match="Mistral's own tokenizer"):
        card(changed(llama, tmp_path / "voxtral", model_type="voxtral"))
    with pytest.raises(OptionsError, match="encoder-decoder"):
        card(changed(llama, tmp_path / "t5", model_type="t5", is_encoder_decoder=True))


def test_a_base_model_without_a_template_is_refused(built: Built, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(built(tiny_chat.llama), folder, ignore=shutil.ignore_patterns("*.jinja"))
    with pytest.raises(OptionsError, match="chat_template"):
        card(folder)
    with pytest.raises(OptionsError, match=r"no such file"):
        card(folder, chat_template="nowhere.jinja")
