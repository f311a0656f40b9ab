"""The card: conditions from the mapped tensors, and the digest."""

from __future__ import annotations

from collections.abc import Callable

from omnigap.convert import modality_from_proto, support_from_proto
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Condition, Support
from tests.helpers.serve_process import Served
from tests.services.triton_server.triton_options import OMNI, STREAM
from tests.services.triton_server.triton_process import Triton

OnTriton = Callable[..., Served]


def supports(card: pb.DescribeResponse) -> dict[str, tuple[Support, str]]:
    return {
        Condition(modality_from_proto(one.input), modality_from_proto(one.output)).name: (
            support_from_proto(one.support),
            one.reason,
        )
        for one in card.conditions
    }


def test_with_all_tensors_mapped_there_are_six_conditions(triton: Triton, on_triton: OnTriton) -> None:
    found = supports(on_triton(triton, OMNI).describe())
    assert found == dict.fromkeys((condition.name for condition in CONDITIONS), (Support.NATIVE, ""))


def test_a_condition_without_its_tensor_is_unsupported_with_a_reason(triton: Triton, on_triton: OnTriton) -> None:
    card = on_triton(
        triton, OMNI, inputs={"text": "question", "temperature": "temperature", "output": "speak"}
    ).describe()
    found = supports(card)
    assert found["t2s"] == (Support.NATIVE, "")
    assert found["s2t"] == (Support.UNSUPPORTED, "no tensor takes the question: inputs.audio is not set")


def test_options_restrict_the_conditions(triton: Triton, on_triton: OnTriton) -> None:
    reasons = {"s2t": "through an ASR model", "i2t": "never trained on images"}
    card = on_triton(triton, OMNI, conditions=["t2t"], assisted=["s2t"], reasons=reasons).describe()
    found = supports(card)
    assert found["t2t"] == (Support.NATIVE, "")
    assert found["s2t"] == (Support.ASSISTED, "through an ASR model")
    assert found["i2t"] == (Support.UNSUPPORTED, "never trained on images")
    assert found["t2s"] == (Support.UNSUPPORTED, "not in the conditions of omni")
    assert card.output_sample_rate_hz == 0


def test_the_card_shows_revision_launch_server_and_version(triton: Triton, on_triton: OnTriton) -> None:
    card = on_triton(triton, OMNI, launch="tritonserver --x", name="ours", architecture="moe").describe()
    assert card.name == "ours"
    assert card.architecture == pb.ARCHITECTURE_MOE
    assert card.weights_revision == "abc"
    assert card.settings["launch"] == "tritonserver --x"
    assert card.settings["triton.server"] == "triton 2.51.0"
    assert card.settings["triton.backend"] == "python"
    assert card.settings["triton.model_version"] == "1"
    assert len(card.settings["triton.model_config"]) == 64
    assert card.settings["library.tritonclient"]
    assert card.output_sample_rate_hz == 24_000
    assert not any("127.0.0.1" in value for value in card.settings.values())


def test_the_digest_covers_only_what_changes_answers(triton: Triton, on_triton: OnTriton) -> None:
    digest = on_triton(triton, OMNI).describe().digest
    same = (
        {"url": triton.url.replace("127.0.0.1", "localhost")},
        {"concurrency": 9},
        {"timeout_s": 5.0},
        {"max_retries": 1},
        {"model_version": "1"},
    )
    for more in same:
        assert on_triton(triton, OMNI, **more).describe().digest == digest, more
    for more in (
        {"revision": "abd"},
        {"launch": "tritonserver --strict-readiness=false"},
        {"defaults": {"temperature": 0.5}},
        {"constants": {"style": 1}},
        {"input_sample_rate_hz": 8_000},
        {"text_separator": " "},
    ):
        assert on_triton(triton, OMNI, **more).describe().digest != digest, more


def test_two_models_have_two_configurations(triton: Triton, on_triton: OnTriton) -> None:
    one, other = (on_triton(triton, options).describe().settings["triton.model_config"] for options in (OMNI, STREAM))
    assert one != other
