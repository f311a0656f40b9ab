"""The card: conditions and digest; options and the shipped presets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS
from omnigap_services.openai_server.adapter import OpenaiAdapter
from omnigap_services.openai_server.options import preset_names, read_openai_options
from omnigap_services.options import OptionsError
from tests.helpers.chat_server import MODEL, ChatServer
from tests.services.openai_server.through import Through

BASE: dict[str, Any] = {"revision": "abc", "launch": "vllm serve test/omni --omni", "temperature": 0.0}


def test_the_digest_covers_only_what_changes_answers(chat: ChatServer, through: Through) -> None:
    digest = through(**BASE).describe().digest
    other_address = chat.url.replace("127.0.0.1", "localhost")
    for same in (
        {"base_url": other_address},
        {"concurrency": 9},
        {"timeout_s": 5.0},
        {"max_retries": 1},
        {"stream": True},
    ):
        assert through(**BASE | same).describe().digest == digest, same
    for other in (
        {"model": "test/other"},
        {"revision": "abd"},
        {"launch": "vllm serve test/omni --omni --dtype float32"},
        {"temperature": 0.4},
        {"system_prompt": "Be brief."},
        {"sampling_params_list": [{}, {"seed": 1}]},
        {"extra_body": {"top_n": 1}},
        {"voice": "alloy"},
    ):
        assert through(**BASE | other).describe().digest != digest, other


def test_the_card_shows_revision_launch_and_client(through: Through) -> None:
    card = through(**BASE, concurrency=5, name="omni", architecture="moe").describe()
    assert card.name == "omni"
    assert card.architecture == pb.ARCHITECTURE_MOE
    assert card.weights_revision == "abc"
    assert card.settings["launch"] == BASE["launch"]
    assert card.settings["model"] == MODEL
    assert card.settings["library.openai"]
    assert card.max_concurrent == 5
    assert not any("127.0.0.1" in value for value in card.settings.values())


def test_a_text_only_server_declares_no_speech(through: Through) -> None:
    service = through(conditions=["t2t", "i2t"], assisted=["s2t"], reasons={"s2t": "through whisper"})
    card = service.describe()
    found = {(one.input, one.output): (one.support, one.reason) for one in card.conditions}
    assert found[pb.MODALITY_IMAGE, pb.MODALITY_TEXT] == (pb.SUPPORT_NATIVE, "")
    assert found[pb.MODALITY_SPEECH, pb.MODALITY_TEXT] == (pb.SUPPORT_ASSISTED, "through whisper")
    assert found[pb.MODALITY_TEXT, pb.MODALITY_SPEECH][0] == pb.SUPPORT_UNSUPPORTED
    assert card.output_sample_rate_hz == 0


def test_the_warm_up_uses_a_supported_condition(chat: ChatServer, through: Through) -> None:
    through(conditions=["t2t"])
    assert [asked.body["modalities"] for asked in chat.before] == [["text"]]


@pytest.mark.parametrize("preset", preset_names())
def test_presets_are_complete(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    options = read_openai_options({"preset": preset})
    assert OpenaiAdapter({"preset": preset})
    assert options.title == preset
    assert options.launch
    assert options.temperature == 0, "the reference of every comparison is greedy text"
    served = re.search(r"(?:serve|--model-name) (?!--)(\S+)", options.launch)
    assert served is None or served[1] == options.model
    port = re.search(r"--port (\d+)", options.launch)
    assert port is None or f":{port[1]}/" in options.base_url
    assert "t2t" in options.conditions
    assert set(options.reasons) >= {c.name for c in CONDITIONS} - set(options.conditions)


def test_options_override_their_preset() -> None:
    options = read_openai_options({"preset": "ming-flash-omni-2", "temperature": 0.4, "base_url": "http://gpu:8091/v1"})
    assert options.system_prompt == "你是一个友好的AI助手。\n\ndetailed thinking off"
    assert (options.temperature, options.base_url) == (0.4, "http://gpu:8091/v1")
    assert options.output_sample_rate_hz == 44_100


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"preset": "ming"}, "'preset' is 'ming': .*ming-flash-omni-2"),
        ({}, "'model'"),
        ({"model": "m", "modalities": ["text"]}, "unknown option 'modalities'"),
        ({"model": "m", "base_url": "localhost:8091"}, "base_url is 'localhost:8091'"),
        ({"model": "m", "conditions": ["t2v"]}, "t2v"),
        ({"model": "m", "conditions": ["t2t"], "assisted": ["t2t"]}, "t2t is in conditions and in assisted"),
        ({"model": "m", "reasons": {"t2v": "no"}}, "reasons names t2v"),
        ({"model": "m", "extra_body": {"messages": []}}, "messages"),
    ],
)
def test_invalid_options_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        OpenaiAdapter(options)
