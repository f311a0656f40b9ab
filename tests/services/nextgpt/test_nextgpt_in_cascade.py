"""NExT-GPT has no voice: as the LLM of a cascade, a TTS service reads its answers aloud."""

from __future__ import annotations

import pytest
from PIL import Image

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Modality
from omnigap_services.adapter import Card
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.cascade.messages import card_of
from tests.helpers.in_process import Host
from tests.helpers.serve_command import Launch, announced
from tests.helpers.serve_process import Served
from tests.services.nextgpt.conftest import Make

PROGRAM = "omnigap_services.nextgpt.adapter:NextgptAdapter"
PICTURE = Image.effect_noise((300, 90), 90).convert("RGB")
SHORT = pb.Decoding(max_new_tokens=12)


@pytest.fixture
def written(launch: Launch) -> Served:
    """The service with `--tiny`, as its own process."""
    ready = announced(launch(PROGRAM, "--tiny", "--exit-with-parent"))
    return Served(f"{ready['host']}:{ready['port']}", process=None)  # type: ignore[arg-type]


def card(served: Served) -> Card:
    return card_of(served.describe())


def test_a_cascade_reads_its_answers_aloud(written: Served, espeak: Served, host_adapter: Host) -> None:
    assert written.describe().random_weights
    options: dict[str, object] = {
        "llm": written.address,
        "tts": espeak.address,
        "asr": "none",
        "name": "next-gpt-tts",
        "architecture": "diffusion_hybrid",
    }
    spoken = host_adapter(CascadeAdapter(options))
    found = card(spoken)
    assert found.architecture is Architecture.DIFFUSION_HYBRID
    support = {condition.name: found.conditions[condition].support.value for condition in CONDITIONS}
    assert support == {
        **dict.fromkeys(("t2t", "i2t"), "native"),
        **dict.fromkeys(("t2s", "i2s"), "assisted"),
        **dict.fromkeys(("s2t", "s2s"), "unsupported"),
    }
    for name in ("t2s", "i2s"):
        assert "espeak" in found.conditions[Condition.parse(name)].reason
    for carrier in ("Who is it?", PICTURE):
        reply = spoken.ask(carrier, output=Modality.SPEECH, decoding=SHORT)
        # The picture itself reaches the model, and the voice says what the model writes.
        assert reply.text == written.ask(carrier, decoding=SHORT).text != ""
        assert reply.audio is not None
        assert abs(reply.audio.samples).max() > 0.1


def test_the_control_stays_a_control_behind_a_voice(make: Make, espeak: Served, host_adapter: Host) -> None:
    control = host_adapter(make(loaded=False, audio_control=True))
    spoken = host_adapter(CascadeAdapter({"llm": control.address, "tts": espeak.address, "asr": "none"}))
    found = card(spoken).conditions
    for name in ("s2t", "s2s"):
        assert "a control at chance level" in found[Condition.parse(name)].reason
