"""What the report says about services: whether the shipped scorer transcribed a model that it was not made for."""

from __future__ import annotations

import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.export.run_info import scorer_mismatch
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.server.describe import describe

MODEL = pb.DescribeResponse(name="my-omni", digest="0" * 64)
SHIPPED_MODEL = pb.DescribeResponse(name="demo", digest="0" * 64)


def test_the_shipped_scorer_is_recognised_by_its_card() -> None:
    scorer = describe(AsrAdapter({}).load(), AsrAdapter)
    assert scorer_mismatch(scorer, [SHIPPED_MODEL, MODEL])
    assert not scorer_mismatch(scorer, [SHIPPED_MODEL])


@pytest.mark.parametrize(
    ("scorer", "shipped"),
    [
        (pb.DescribeResponse(name="asr", settings={"checkpoint": "omnigap-micro-whisper"}), True),
        (pb.DescribeResponse(name="asr", weights_revision="sha256:1 (large-v3@abc)"), False),
        (pb.DescribeResponse(name="mine", weights_revision="sha256:1 (omnigap-micro-whisper)"), False),
        (None, False),
    ],
    ids=["earlier-version", "another-checkpoint", "another-service", "none"],
)
def test_other_scorers_are_not_taken_for_it(scorer: pb.DescribeResponse | None, shipped: bool) -> None:
    assert scorer_mismatch(scorer, [MODEL]) is shipped
