"""A cascade keeps the contract whatever it is composed of."""

from __future__ import annotations

from served_doubles import Double, Serve, say
from test_services_conform import BLIND, DEAF, MUTE, REFUSES_NOTHING, check_service

from omnigap.vocabulary import CONDITIONS, Condition
from omnigap_services.adapter import NATIVE, Turn
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.echo import EchoAdapter


def part(name: str, *conditions: str) -> Double:
    """A part that answers at once, in the voice-like noise of its kind."""

    def answer(turn: Turn) -> None:
        say(turn, f"{name} answers")

    return Double(answer, name=name, conditions={Condition.parse(c): NATIVE for c in conditions})


async def test_a_text_brain_with_every_help_conforms(host: Serve) -> None:
    options = {
        "brain": await host(part("brain", "t2t")),
        "ears": await host(part("ears", "s2t")),
        "reader": await host(part("reader", "i2t")),
        "tts": await host(part("voice", "t2s")),
    }
    await check_service(await host(CascadeAdapter(options)), skipped=REFUSES_NOTHING)


async def test_a_brain_that_hears_and_sees_conforms_with_and_without_a_voice(host: Serve) -> None:
    brain = await host(part("brain", "t2t", "s2t", "i2t"))
    voice = await host(part("voice", "t2s"))
    await check_service(await host(CascadeAdapter({"brain": brain})), skipped=MUTE)
    await check_service(await host(CascadeAdapter({"brain": brain, "tts": voice})), skipped=REFUSES_NOTHING)


async def test_an_omni_brain_alone_conforms(host: Serve) -> None:
    brain = await host(part("brain", *(condition.name for condition in CONDITIONS)))
    await check_service(await host(CascadeAdapter({"brain": brain})), skipped=REFUSES_NOTHING)


async def test_a_slow_brain_conforms_under_overload(host: Serve) -> None:
    """Its places are few, and calls are cancelled and overtaken while they wait for one."""
    brain = await host(EchoAdapter({"delay_s": 0.1, "max_batch_size": 2}))
    address = await host(CascadeAdapter({"brain": brain, "direct": [], "ears": "none", "reader": "none"}))
    await check_service(address, skipped=DEAF | BLIND | MUTE)
