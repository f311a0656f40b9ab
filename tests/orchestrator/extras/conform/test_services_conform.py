"""Every service of this repository keeps the contract, as its container serves it."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path

import pytest
from served_doubles import Serve

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.options import SHIPPED_CHECKPOINT
from omnigap_services.demo.adapter import DemoAdapter
from omnigap_services.echo import EchoAdapter
from omnigap_services.espeak.adapter import EspeakAdapter
from omnigap_services.ocr.adapter import OcrAdapter

EXAMPLE = Path(__file__).parents[4] / "examples" / "shout_model.py"

needs_checkpoint = pytest.mark.skipif(
    not (SHIPPED_CHECKPOINT / "model.bin").is_file(), reason=f"NOT CHECKED: {SHIPPED_CHECKPOINT}/model.bin is missing"
)

# What is skipped on a service that lacks a sense.
DEAF = {
    "nan-audio-is-bad-media",
    "empty-audio-is-bad-media",
    "audio-without-samples-is-bad-media",
    "mislabelled-audio-is-bad-media",
    "unknown-audio-type-is-bad-media",
    "pcm-without-a-rate-is-bad-media",
    "long-audio-is-too-large",
}
BLIND = {
    "truncated-image-is-bad-media",
    "empty-image-is-bad-media",
    "mislabelled-image-is-bad-media",
    "unknown-image-type-is-bad-media",
    "image-bomb-is-too-large",
}
ILLITERATE = {"long-text-is-too-large"}
MUTE = {
    "audio-has-the-declared-format",
    "audio-pieces-hold-whole-samples",
    "audio-seconds-agree-with-the-bytes",
    "audio-is-not-silent",
}
WRITES_NOTHING = {"text-answers-carry-no-audio"}
REFUSES_NOTHING = {"undeclared-conditions-are-refused"}


async def check_service(address: str, skipped: Collection[str], warned: Collection[str] = ()) -> None:
    """Fails where a check fails, and where one warns or is skipped that should not."""
    found = await conform(address)
    told = {
        status: {result.check: result.message for result in found.results if result.status is status}
        for status in Status
    }
    assert told[Status.FAILED] == {}
    assert set(told[Status.WARNING]) <= set(warned), told[Status.WARNING]
    assert set(told[Status.SKIPPED]) == set(skipped), told[Status.SKIPPED]


async def test_echo_conforms(host: Serve) -> None:
    await check_service(await host(EchoAdapter({})), skipped=REFUSES_NOTHING)


async def test_echo_conforms_when_its_queue_is_short_and_its_work_slow(host: Serve) -> None:
    """Then the overload is refused in part, and calls are cancelled and overtaken while they wait."""
    options = {"max_batch_size": 2, "max_queue": 4, "delay_s": 0.2}
    await check_service(await host(EchoAdapter(options)), skipped=REFUSES_NOTHING)


async def test_espeak_conforms(host: Serve) -> None:
    await check_service(await host(EspeakAdapter({})), skipped=DEAF | BLIND | WRITES_NOTHING)


async def test_ocr_conforms(host: Serve) -> None:
    await check_service(await host(OcrAdapter({})), skipped=DEAF | MUTE | ILLITERATE)


async def test_the_example_model_conforms(host: Serve) -> None:
    spec = importlib.util.spec_from_file_location("shout_model", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    await check_service(await host(module.ShoutAdapter({})), skipped=DEAF | BLIND)


@needs_checkpoint
async def test_asr_conforms(host: Serve) -> None:
    # An empty transcript of the suite's noise is fine.
    empty_transcript = {"declared-conditions-answer"}
    # A small batch, so that a short load is an overload.
    await check_service(
        await host(AsrAdapter({"max_batch_size": 2})), skipped=BLIND | MUTE | ILLITERATE, warned=empty_transcript
    )


@needs_checkpoint
async def test_demo_conforms(host: Serve) -> None:
    voice = await host(EspeakAdapter({}))
    await check_service(await host(DemoAdapter({"tts": voice})), skipped=REFUSES_NOTHING)


@needs_checkpoint
async def test_demo_without_tts_conforms_in_the_three_conditions_that_it_declares(host: Serve) -> None:
    await check_service(await host(DemoAdapter({})), skipped=MUTE)
