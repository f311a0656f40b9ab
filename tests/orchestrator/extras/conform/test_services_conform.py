"""Every service of this repository follows the contract, served as in its container."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.options import SHIPPED_CHECKPOINT
from omnigap_services.demo.adapter import DemoAdapter
from omnigap_services.echo import EchoAdapter
from omnigap_services.espeak.adapter import EspeakAdapter
from omnigap_services.ocr.adapter import OcrAdapter
from omnigap_services.piper.adapter import PiperAdapter
from tests.helpers.served_doubles import Serve
from tests.helpers.tiny_piper import write_voice
from tests.orchestrator.extras.conform.expected_checks import (
    IMAGE_INPUT,
    SPEECH_INPUT,
    SPEECH_OUTPUT,
    TEXT_INPUT,
    TEXT_OUTPUT,
    UNDECLARED,
    check_service,
)

EXAMPLE = Path(__file__).parents[4] / "examples" / "shout_model.py"

needs_checkpoint = pytest.mark.skipif(
    not (SHIPPED_CHECKPOINT / "model.bin").is_file(), reason=f"NOT CHECKED: {SHIPPED_CHECKPOINT}/model.bin is missing"
)


# Checks that are skipped for a service without the modality.
async def test_echo_conforms(host: Serve) -> None:
    await check_service(await host(EchoAdapter({})), skipped=UNDECLARED)


async def test_echo_with_a_short_queue_and_slow_work_conforms(host: Serve) -> None:
    """A part of the overload is refused, and calls are cancelled while they wait in the queue."""
    options = {"max_batch_size": 2, "max_queue": 4, "delay_s": 0.2}
    await check_service(await host(EchoAdapter(options)), skipped=UNDECLARED)


async def test_espeak_conforms(host: Serve) -> None:
    await check_service(await host(EspeakAdapter({})), skipped=SPEECH_INPUT | IMAGE_INPUT | TEXT_OUTPUT)


async def test_piper_conforms(host: Serve, tmp_path: Path) -> None:
    voice = write_voice(tmp_path, speakers={"anna": 0, "bert": 1})
    await check_service(
        await host(PiperAdapter({"voices": [str(voice)]})), skipped=SPEECH_INPUT | IMAGE_INPUT | TEXT_OUTPUT
    )


async def test_ocr_conforms(host: Serve) -> None:
    await check_service(await host(OcrAdapter({})), skipped=SPEECH_INPUT | SPEECH_OUTPUT | TEXT_INPUT)


async def test_example_model_conforms(host: Serve) -> None:
    spec = importlib.util.spec_from_file_location("shout_model", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    await check_service(await host(module.ShoutAdapter({})), skipped=SPEECH_INPUT | IMAGE_INPUT)


@needs_checkpoint
async def test_asr_conforms(host: Serve) -> None:
    # The transcript of the suite's voice-like noise may be empty.
    empty_transcript = {"declared-conditions-answer"}
    # A small batch, so that the calls of the suite are an overload.
    await check_service(
        await host(AsrAdapter({"max_batch_size": 2})),
        skipped=IMAGE_INPUT | SPEECH_OUTPUT | TEXT_INPUT,
        warned=empty_transcript,
    )


@needs_checkpoint
async def test_demo_conforms(host: Serve) -> None:
    voice = await host(EspeakAdapter({}))
    await check_service(await host(DemoAdapter({"tts": voice})), skipped=UNDECLARED)


@needs_checkpoint
async def test_demo_without_tts_conforms_in_its_three_conditions(host: Serve) -> None:
    await check_service(await host(DemoAdapter({})), skipped=SPEECH_OUTPUT)
