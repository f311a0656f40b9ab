"""A card is checked before anything relies on it; what it claims about itself is bounded."""

from __future__ import annotations

import math

import pytest

from omnigap import limits
from omnigap.card import check_card, is_shipped_model
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason

HUGE = 2**32 - 1
T2T = {"input": pb.MODALITY_TEXT, "output": pb.MODALITY_TEXT, "support": pb.SUPPORT_NATIVE}


def card(**fields: object) -> pb.DescribeResponse:
    return pb.DescribeResponse(**{"name": "omni", "digest": "d" * 64, "conditions": [pb.Capability(**T2T)], **fields})  # type: ignore[arg-type]


def capability(**fields: object) -> list[pb.Capability]:
    return [pb.Capability(**{**T2T, **fields})]  # type: ignore[arg-type]


BROKEN = {
    "no name": (card(name=""), "no name"),
    "a blank name": (card(name=" "), "no name"),
    "an escape in the name": (card(name="\x1b[31mred"), r"name '\\x1b"),
    "a bidirectional name": (card(name="omni\u202egpj"), r"name 'omni\\u202e"),
    "a long name": (card(name="n" * 201), r"name .* \(201 characters\)"),
    "a long version": (card(version="v" * 201), "version"),
    "a long revision": (card(weights_revision="v" * 20_001), "weights_revision"),
    "no digest": (card(digest=""), "no digest"),
    "NUL in the digest": (card(digest="a\0b"), "digest"),
    "a long digest": (card(digest="d" * 1_000), "digest"),
    "an unknown architecture": (card(architecture=99), "architecture"),
    "an unknown input": (card(conditions=capability(input=9)), r"conditions\[0\]"),
    "an unset output": (card(conditions=capability(output=0)), r"conditions\[0\]"),
    "an image as output": (card(conditions=capability(output=pb.MODALITY_IMAGE)), r"conditions\[0\]"),
    "an unknown support": (card(conditions=capability(support=77)), r"conditions\[0\]"),
    "an unset support": (card(conditions=capability(support=0)), r"conditions\[0\]"),
    "a negative enum": (card(conditions=capability(support=-5)), r"conditions\[0\]"),
    "the same condition twice": (card(conditions=capability() * 2), "t2t twice"),
    "a long reason": (card(conditions=capability(reason="r" * 20_001)), "reason of 20001"),
    "a million conditions": (card(conditions=capability() * 150_000), "bytes: at most"),
    "infinite limit": (card(limits=pb.Limits(max_audio_seconds=math.inf)), "max_audio_seconds inf"),
    "NaN limit": (card(limits=pb.Limits(max_audio_seconds=math.nan)), "max_audio_seconds nan"),
    "negative limit": (card(limits=pb.Limits(max_audio_seconds=-1)), "max_audio_seconds -1"),
    "NaN seconds of an answer": (card(answer_seconds=math.nan), "answer_seconds nan"),
    "negative seconds of an answer": (card(answer_seconds=-0.1), "answer_seconds -0.1"),
    "an escape in outdated": (card(outdated="\x1b[2J"), r"outdated '\\x1b"),
    "lines in outdated": (card(outdated="a\nb"), "outdated"),
    "a long outdated": (card(outdated="o" * 1_001), r"outdated .* \(1001 characters\)"),
    "an input rate": (card(limits=pb.Limits(input_sample_rate_hz=HUGE)), "input_sample_rate_hz 4294967295"),
    "an output rate": (card(output_sample_rate_hz=1), "output_sample_rate_hz 1"),
    "many voices": (card(voices=[pb.Voice(name="v")] * 5_001), "5001 voices"),
    "a long voice": (card(voices=[pb.Voice(name="v" * 201)]), "voices.name"),
    "a long language of a voice": (card(voices=[pb.Voice(name="v", language="e" * 65)]), "voices.language"),
    "many languages": (card(languages=["en"] * 5_001), "5001 languages"),
    "a long language": (card(languages=["e" * 65]), "languages"),
    "many settings": (card(settings={str(n): "" for n in range(5_001)}), "5001 settings"),
    "a long setting": (card(settings={"prompt": "p" * 20_001}), r"settings\['prompt'\] of 20001"),
    "a long name of a setting": (card(settings={"s" * 201: ""}), "the name of a setting"),
    "many parts": (card(parts=[pb.ServicePart()] * 5_001), "5001 parts"),
    "a long part": (card(parts=[pb.ServicePart(digest="d" * 201)]), "parts.digest"),
    "a huge card": (card(settings={str(n): "x" * 19_000 for n in range(60)}), "bytes: at most 1048576"),
}


@pytest.mark.parametrize(("broken", "message"), BROKEN.values(), ids=BROKEN)
def test_a_card_that_breaks_the_contract_is_an_error_that_names_the_field(
    broken: pb.DescribeResponse, message: str
) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        check_card(broken, "host:1")
    assert caught.value.reason is Reason.MODEL_ERROR
    assert caught.value.message.startswith("host:1 describes itself with ")
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


def test_huge_concurrency_is_lowered_and_said() -> None:
    given = card(max_concurrent=HUGE, max_batch_size=4_096)
    notes = check_card(given, "host:1")
    assert (given.max_concurrent, given.max_batch_size) == (limits.MAX_CONCURRENT, limits.MAX_CONCURRENT)
    assert notes == [
        "host:1 declares max_concurrent 4294967295: 1024 is used",
        "host:1 declares max_batch_size 4096: 1024 is used",
    ]


def test_a_full_card_is_accepted_unchanged() -> None:
    given = card(
        conditions=[
            pb.Capability(input=i, output=o, support=pb.SUPPORT_UNSUPPORTED, reason="line\nbreak")  # type: ignore[arg-type]
            for i in (1, 2, 3)
            for o in (1, 2)
        ],
        voices=[pb.Voice(name="한국어 목소리", language="ko")] * 2_000,
        languages=["en"] * 2_000,
        settings={"system_prompt": "many\nlines\t" * 100},
        limits=pb.Limits(max_audio_seconds=0, max_image_pixels=2**64 - 1, input_sample_rate_hz=16_000),
        max_concurrent=1_024,
        outdated="the options file été.toml has changed" + "." * 900,
    )
    before = given.SerializeToString(deterministic=True)
    assert check_card(given, "host:1") == []
    assert given.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("name", ["demo", "echo", "cascade", "omni"])
def test_a_shipped_model_is_recognised_whatever_its_name(name: str) -> None:
    demo, echo = {"min_match": "0.42", "decoding": "deterministic"}, {"answer": "None", "silent": "False"}
    assert is_shipped_model(card(name=name, settings=demo)) and is_shipped_model(card(name=name, settings=echo))
    assert not is_shipped_model(card(name=name, settings={"decoding": "greedy", "answer": "short"}))
