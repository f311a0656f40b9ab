"""A cascade follows the contract for every composition of its stages."""

from __future__ import annotations

from omnigap.vocabulary import CONDITIONS, Condition
from omnigap_services.adapter import NATIVE, Turn
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.echo import EchoAdapter
from tests.helpers.served_doubles import Double, Serve, say
from tests.orchestrator.extras.conform.expected_checks import (
    IMAGE_INPUT,
    SPEECH_INPUT,
    SPEECH_OUTPUT,
    UNDECLARED,
    check_service,
)


def stage(name: str, *conditions: str) -> Double:
    """A service of one stage that answers at once, in voice-like noise if speech is requested."""

    def answer(turn: Turn) -> None:
        say(turn, f"{name} answers")

    return Double(answer, name=name, conditions={Condition.parse(c): NATIVE for c in conditions})


async def test_text_llm_with_asr_ocr_and_tts_conforms(host: Serve) -> None:
    options = {
        "llm": await host(stage("llm", "t2t")),
        "asr": await host(stage("asr", "s2t")),
        "ocr": await host(stage("ocr", "i2t")),
        "tts": await host(stage("tts", "t2s")),
    }
    await check_service(await host(CascadeAdapter(options)), skipped=UNDECLARED)


async def test_multimodal_llm_conforms_with_and_without_tts(host: Serve) -> None:
    llm = await host(stage("llm", "t2t", "s2t", "i2t"))
    tts = await host(stage("tts", "t2s"))
    await check_service(await host(CascadeAdapter({"llm": llm})), skipped=SPEECH_OUTPUT)
    await check_service(await host(CascadeAdapter({"llm": llm, "tts": tts})), skipped=UNDECLARED)


async def test_omni_llm_without_other_stages_conforms(host: Serve) -> None:
    llm = await host(stage("llm", *(condition.name for condition in CONDITIONS)))
    await check_service(await host(CascadeAdapter({"llm": llm})), skipped=UNDECLARED)


async def test_slow_llm_conforms_under_overload(host: Serve) -> None:
    """It has few slots, and calls are cancelled while they wait for one."""
    llm = await host(EchoAdapter({"delay_s": 0.1, "max_batch_size": 2}))
    address = await host(CascadeAdapter({"llm": llm, "direct": [], "asr": "none", "ocr": "none"}))
    await check_service(address, skipped=SPEECH_INPUT | IMAGE_INPUT | SPEECH_OUTPUT)
