"""A cascade conforms to the contract with every kind of LLM and stage."""

from __future__ import annotations

from served_doubles import Double, Serve, say
from test_services_conform import BLIND, DEAF, MUTE, REFUSES_NOTHING, check_service

from omnigap.vocabulary import CONDITIONS, Condition
from omnigap_services.adapter import NATIVE, Turn
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.echo import EchoAdapter


def part(name: str, *conditions: str) -> Double:
    """A service that answers at once."""

    def answer(turn: Turn) -> None:
        say(turn, f"{name} answers")

    return Double(answer, name=name, conditions={Condition.parse(c): NATIVE for c in conditions})


async def test_a_text_llm_with_all_stages_conforms(host: Serve) -> None:
    options = {
        "llm": await host(part("llm", "t2t")),
        "asr": await host(part("asr", "s2t")),
        "ocr": await host(part("ocr", "i2t")),
        "tts": await host(part("voice", "t2s")),
    }
    await check_service(await host(CascadeAdapter(options)), skipped=REFUSES_NOTHING)


async def test_an_llm_that_takes_speech_and_images_conforms_with_and_without_tts(host: Serve) -> None:
    llm = await host(part("llm", "t2t", "s2t", "i2t"))
    voice = await host(part("voice", "t2s"))
    await check_service(await host(CascadeAdapter({"llm": llm})), skipped=MUTE)
    await check_service(await host(CascadeAdapter({"llm": llm, "tts": voice})), skipped=REFUSES_NOTHING)


async def test_an_omni_llm_without_stages_conforms(host: Serve) -> None:
    llm = await host(part("llm", *(condition.name for condition in CONDITIONS)))
    await check_service(await host(CascadeAdapter({"llm": llm})), skipped=REFUSES_NOTHING)


async def test_a_slow_llm_conforms_under_overload(host: Serve) -> None:
    """Few calls run at once; others are cancelled while they wait."""
    llm = await host(EchoAdapter({"delay_s": 0.1, "max_batch_size": 2}))
    address = await host(CascadeAdapter({"llm": llm, "direct": [], "asr": "none", "ocr": "none"}))
    await check_service(address, skipped=DEAF | BLIND | MUTE)
