"""A cascade of served parts: what reaches the brain, what comes back, and how its conditions are labelled."""

from __future__ import annotations

import asyncio
import threading

import grpc
import numpy as np
import pytest
from cascade_parts import CLIP, HEARD, PICTURE, READ, SAID, Parts, a_brain, able, compose, tone, writes
from PIL import Image
from served import Served
from served_doubles import PATIENCE_S, Double, Serve

from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import CONDITIONS, FinishReason, Modality, Support
from omnigap_services.adapter import Capability, Completion, DecodingOptions, Turn, Voice
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.options import OptionsError

SIX = tuple(condition.name for condition in CONDITIONS)
EARS, READER, VOICE = "the ASR service ears hears", "the OCR service reader reads", "the TTS service voice speaks"


async def test_a_text_brain_is_asked_what_was_heard_with_all_that_was_sent(host: Serve) -> None:
    cascade = await compose(host, a_brain("t2t"))
    reply = await cascade.ask(
        CLIP,
        "Answer with one word.",
        system_prompt="Be brief.",
        language="ko",
        decoding=pb.Decoding(max_new_tokens=9, temperature=0.0, seed=-3, extra={"thinking": "false"}),
    )
    assert reply.text == SAID
    assert reply.audio is None
    (asked,) = cascade.brain.asked
    assert asked.parts == (HEARD, "Answer with one word.")
    assert asked.system_prompt == "Be brief."
    assert asked.language == "ko"
    assert asked.decoding == DecodingOptions(9, 0.0, seed=-3, extra={"thinking": "false"})
    assert cascade.parts.ears is not None
    (heard,) = cascade.parts.ears.asked
    assert isinstance(heard.carrier, AudioClip)
    assert np.abs(heard.carrier.samples - CLIP.samples).max() < 1e-4
    # Nothing that could lead the ears to the answer.
    assert (heard.parts[1:], heard.system_prompt, heard.decoding) == ((), "", DecodingOptions())
    assert heard.language == "ko"


async def test_what_the_brain_wrote_is_what_the_voice_says(host: Serve) -> None:
    voice = Double(writes("ignored"), name="voice", conditions=able("t2s"), voices=(Voice("ann", "en"),))
    cascade = await compose(host, a_brain("t2t"), Parts(voice=voice))
    reply = await cascade.ask(
        PICTURE, output=Modality.SPEECH, voice=pb.VoiceSettings(name="ann", words_per_minute=150), language="en"
    )
    assert reply.text == SAID
    assert reply.audio is not None
    assert np.abs(reply.audio.samples - tone()).max() < 1e-4
    (asked,) = cascade.brain.asked
    assert (asked.parts, asked.output, asked.voice, asked.words_per_minute) == ((READ,), Modality.TEXT, None, None)
    (spoken,) = voice.asked
    assert (spoken.parts, spoken.voice, spoken.words_per_minute, spoken.language) == ((SAID,), "ann", 150, "en")


async def test_a_text_brain_is_labelled_assisted_wherever_it_is_helped(host: Serve) -> None:
    cascade = await compose(host, a_brain("t2t"))
    assert await cascade.support() == {
        "t2t": ("native", ""),
        "s2t": ("assisted", EARS),
        "i2t": ("assisted", READER),
        "t2s": ("assisted", VOICE),
        "s2s": ("assisted", f"{EARS}, {VOICE}"),
        "i2s": ("assisted", f"{READER}, {VOICE}"),
    }
    card = await cascade.card()
    assert (card.name, card.architecture) == ("cascade-mind", pb.ARCHITECTURE_CASCADE)
    assert {(part.role, part.name) for part in card.parts} == {
        ("brain", "mind"),
        ("asr", "ears"),
        ("ocr", "reader"),
        ("tts", "voice"),
    }
    assert card.settings["asr.weights_revision"] == "ears-1"
    assert list(card.languages) == ["en", "ko"]


async def test_a_brain_that_sees_gets_the_image_itself(host: Serve) -> None:
    cascade = await compose(host, a_brain("t2t", "i2t"), Parts(reader=None))
    assert (await cascade.ask(PICTURE, "Which city?")).text == SAID
    (asked,) = cascade.brain.asked
    assert isinstance(asked.carrier, Image.Image)
    assert asked.carrier.tobytes() == PICTURE.tobytes()
    assert asked.parts[1:] == ("Which city?",)
    support = await cascade.support()
    assert (support["i2t"], support["i2s"]) == (("native", ""), ("assisted", VOICE))
    assert support["s2t"] == ("assisted", EARS)
    card = await cascade.card()
    assert card.architecture == pb.ARCHITECTURE_CASCADE
    assert "ocr" not in {part.role for part in card.parts}


async def test_a_brain_that_hears_and_sees_is_native_in_three_conditions_and_assisted_in_three(host: Serve) -> None:
    """No ASR and no OCR is loaded: none is needed."""
    cascade = await compose(host, a_brain("t2t", "s2t", "i2t"), Parts(ears=None, reader=None), name="hears-and-sees")
    support = await cascade.support()
    assert [support[name] for name in ("t2t", "s2t", "i2t")] == [("native", "")] * 3
    assert [support[name] for name in ("t2s", "s2s", "i2s")] == [("assisted", VOICE)] * 3
    card = await cascade.card()
    assert (card.name, card.architecture) == ("hears-and-sees", pb.ARCHITECTURE_NATIVE_OMNI)
    assert {part.role for part in card.parts} == {"brain", "tts"}
    reply = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert reply.audio is not None
    (asked,) = cascade.brain.asked
    assert isinstance(asked.carrier, AudioClip)
    assert asked.output is Modality.TEXT


async def test_an_omni_model_is_its_own_control_when_nothing_is_direct(host: Serve) -> None:
    """The same brain behind other ears, eyes and lips: it never meets media."""
    cascade = await compose(host, a_brain(*SIX), direct=[], name="control")
    for carrier in ("Where is Paris?", CLIP, PICTURE):
        for output in (Modality.TEXT, Modality.SPEECH):
            assert (await cascade.ask(carrier, output=output)).text == SAID
    assert {type(part) for request in cascade.brain.asked for part in request.parts} == {str}
    assert {request.output for request in cascade.brain.asked} == {Modality.TEXT}
    support = await cascade.support()
    assert [name for name, (word, _) in support.items() if word == "native"] == ["t2t"]
    assert (await cascade.card()).architecture == pb.ARCHITECTURE_CASCADE


async def test_an_omni_model_alone_is_passed_through(host: Serve) -> None:
    cascade = await compose(host, a_brain(*SIX), Parts(None, None, None))
    assert set((await cascade.support()).values()) == {("native", "")}
    assert {part.role for part in (await cascade.card()).parts} == {"brain"}
    reply = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert reply.text == SAID
    assert reply.audio is not None
    (asked,) = cascade.brain.asked
    assert asked.condition.name == "s2s"


async def test_single_conditions_can_be_left_to_the_brain(host: Serve) -> None:
    """Its own ears, another's voice."""
    cascade = await compose(host, a_brain(*SIX), direct=["s2t"])
    assert (await cascade.ask(CLIP, output=Modality.SPEECH)).text == SAID
    (asked,) = cascade.brain.asked
    assert asked.condition.name == "s2t"
    assert (await cascade.support())["i2t"] == ("assisted", READER)


async def test_the_digest_follows_what_is_direct_and_every_part(host: Serve) -> None:
    digests = set()
    for brain, parts, options in (
        (a_brain(*SIX), Parts(), {}),
        (a_brain(*SIX), Parts(), {"direct": []}),
        (a_brain(*SIX, weights_revision="2"), Parts(), {"direct": []}),
        (a_brain(*SIX), Parts(ears=Double(name="ears", conditions=able("s2t"), version="2")), {"direct": []}),
        (a_brain(*SIX), Parts(voice=Double(name="voice", conditions=able("t2s"), version="2")), {"direct": []}),
        (
            a_brain(*SIX),
            Parts(reader=Double(name="r", conditions=able("i2t"))),
            {"direct": [], "reader_prompt": "Read"},
        ),
    ):
        digests.add((await (await compose(host, brain, parts, **options)).card()).digest)
    assert len(digests) == 6


async def test_text_and_thinking_stream_while_the_brain_still_works(host: Serve) -> None:
    go_on = threading.Event()

    def answer(turn: Turn) -> None:
        turn.reason("Let me think. ")
        turn.write("It is ")
        assert go_on.wait(PATIENCE_S)
        turn.write("Paris.")

    cascade = await compose(host, a_brain("t2t", answer=lambda turn: turn.write("warm")))
    cascade.brain.answer = answer
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        request = pb.GenerateRequest(parts=[pb.InputPart(text="Where?")], output=pb.MODALITY_TEXT)
        call = ModelServiceStub(channel).Generate(request, timeout=PATIENCE_S)
        first = [(await call.read()).delta for _ in range(2)]
        assert (first[0].reasoning, first[1].text) == ("Let me think. ", "It is ")
        go_on.set()
        assert (await call.read()).delta.text == "Paris."
        assert (await call.read()).HasField("complete")


async def test_figures_of_every_part_are_kept_under_its_name(host: Serve) -> None:
    answer = writes(
        SAID,
        finish_reason=FinishReason.LENGTH,
        input_tokens=7,
        output_tokens=5,
        diagnostics={"avg_logprob": -2.0},
    )
    cascade = await compose(host, a_brain("t2t", answer=answer))
    reply = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert dict(reply.complete.diagnostics) == {"heard_avg_logprob": -0.5, "brain_avg_logprob": -2.0, "voice_rtf": 0.1}
    assert (reply.complete.usage.input_tokens, reply.complete.usage.output_tokens) == (7, 5)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.complete.detected_language == "en"
    assert reply.reasoning == f"question: {HEARD}\n"
    assert dict((await cascade.ask(PICTURE)).complete.diagnostics) == {"read_lines": 1.0, "brain_avg_logprob": -2.0}


async def test_what_nobody_could_hear_is_still_a_question(host: Serve) -> None:
    """A pipeline that hears nothing answers something: that is its answer, and no failure."""
    deaf = Double(writes(""), name="ears", conditions=able("s2t"))
    cascade = await compose(host, a_brain("t2t"), Parts(ears=deaf))
    assert (await cascade.ask(CLIP, "Answer with one word.")).text == SAID
    assert cascade.brain.asked[0].parts == ("[inaudible]", "Answer with one word.")


@pytest.mark.parametrize(("plainly", "said"), [(True, "It is Paris."), (False, "It is **Paris**.")])
async def test_marks_of_the_page_are_written_and_not_said(host: Serve, plainly: bool, said: str) -> None:
    cascade = await compose(host, a_brain("t2t", answer=writes("It is **Paris**.")), plain_speech=plainly)
    assert (await cascade.ask("Where?", output=Modality.SPEECH)).text == "It is **Paris**."
    assert cascade.parts.voice is not None
    assert cascade.parts.voice.asked[0].parts == (said,)


@pytest.mark.parametrize("text", ["", " \n", "..."])
async def test_an_answer_with_nothing_to_say_is_silent_and_not_a_failure(
    host: Serve, text: str, espeak: Served
) -> None:
    """espeak refuses such a text."""
    parts = Parts(voice=None)
    cascade = await compose(host, a_brain("t2t", answer=writes(text)), parts, tts=espeak.address)
    reply = await cascade.ask("Where?", output=Modality.SPEECH)
    assert (reply.text, reply.audio) == (text, None)
    assert reply.complete.finish_reason == pb.FINISH_REASON_STOP


async def test_the_voices_rate_is_brought_to_the_brains_where_both_speak(host: Serve) -> None:
    def sings(turn: Turn) -> None:
        turn.write(SAID)
        if turn.request.output is Modality.SPEECH:
            for piece in np.split(tone(24_000), 4):
                turn.speak(piece, 24_000)

    brain = a_brain("t2t", "t2s", "s2t", answer=sings, output_sample_rate_hz=24_000)
    cascade = await compose(host, brain)
    assert (await cascade.card()).output_sample_rate_hz == 24_000
    own = await cascade.ask("Where?", output=Modality.SPEECH)
    voiced = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert own.audio is not None
    assert voiced.audio is not None
    assert np.abs(own.audio.samples - tone(24_000)).max() < 1e-4
    assert (own.audio.sample_rate, voiced.audio.sample_rate) == (24_000, 24_000)
    assert abs(voiced.audio.seconds - 0.25) < 0.01


async def test_a_voice_reaches_the_part_that_has_it(host: Serve) -> None:
    brain = a_brain("t2t", "t2s", "s2t", voices=(Voice("chelsie", "en"),))
    voice = Double(writes("ignored"), name="voice", conditions=able("t2s"), voices=(Voice("ann", "en"),))
    cascade = await compose(host, brain, Parts(voice=voice))
    assert [voice.name for voice in (await cascade.card()).voices] == ["chelsie", "ann"]
    settings = pb.VoiceSettings(name="chelsie")
    await cascade.ask("Where?", output=Modality.SPEECH, voice=settings)
    await cascade.ask(CLIP, output=Modality.SPEECH, voice=settings)
    assert brain.asked[0].voice == "chelsie"
    assert voice.asked[0].voice is None


async def test_limits_are_those_of_the_parts_that_take_the_medium(host: Serve) -> None:
    ears = Double(writes(HEARD), name="ears", conditions=able("s2t"), max_audio_seconds=33.0)
    brain = a_brain("t2t", "i2t", max_audio_seconds=5.0, max_image_pixels=1_000_000, max_text_chars=999)
    limits = (await (await compose(host, brain, Parts(ears=ears))).card()).limits
    assert (limits.max_audio_seconds, limits.max_image_pixels, limits.max_text_chars) == (33.0, 1_000_000, 999)


async def test_help_that_the_brain_has_itself_is_told(host: Serve) -> None:
    own = {**able("t2t"), **dict.fromkeys(able("i2t"), Capability(Support.ASSISTED, "an OCR of its own"))}
    support = await (await compose(host, Double(writes(SAID), name="mind", conditions=own))).support()
    assert support["i2t"] == ("assisted", "an OCR of its own")
    assert support["i2s"] == ("assisted", f"{VOICE}, an OCR of its own")


async def test_a_brain_that_says_much_to_nothing_keeps_no_cascade_from_starting(host: Serve) -> None:
    """Its voice would refuse so long a text."""
    voice = Double(writes("ignored"), name="voice", conditions=able("t2s"), max_text_chars=100)
    rambles = a_brain("t2t", answer=writes("Well. " * 50))
    cascade = await compose(host, rambles, Parts(voice=voice))
    rambles.answer = writes(SAID)
    assert (await cascade.ask("Where?", output=Modality.SPEECH)).text == SAID


async def test_nobody_can_be_asked_for_in_place_of_a_part(host: Serve) -> None:
    cascade = await compose(host, a_brain("t2t"), Parts(None, None, None), ears="none", reader="none")
    support = await cascade.support()
    assert support["s2t"][0] == support["i2t"][0] == support["t2s"][0] == "unsupported"
    assert "set ears" in support["s2t"][1]
    assert "set reader" in support["i2s"][1]
    assert "set tts" in support["i2s"][1]


async def test_questions_at_once_reach_the_brain_at_once(host: Serve) -> None:
    """As many as it declares: each of them waits until all are there."""
    together = threading.Barrier(4)

    def answer(turn: Turn) -> None:
        if turn.request.parts == ("all",):
            together.wait(PATIENCE_S)
        turn.write(SAID)
        turn.complete(Completion())

    cascade = await compose(host, a_brain("t2t", answer=answer, workers=4, max_concurrent=4))
    replies = await asyncio.gather(*(cascade.ask("all") for _ in range(8)))
    assert [reply.text for reply in replies] == [SAID] * 8


@pytest.mark.parametrize("name", ["cascade", "echo"])
def test_the_shipped_names_are_refused_for_another_brain(name: str) -> None:
    """The report says of them that they prove nothing about real models."""
    with pytest.raises(OptionsError, match=f"the name '{name}' is the shipped cascade's"):
        CascadeAdapter({"brain": "127.0.0.1:1", "name": name})


def test_what_belongs_to_a_brain_is_refused_without_one() -> None:
    with pytest.raises(OptionsError, match="direct and concurrency belong to a brain: set brain"):
        CascadeAdapter({"direct": [], "concurrency": 3})


def test_direct_names_conditions() -> None:
    with pytest.raises(OptionsError, match=r"option 'direct' is \['image'\].*unknown condition 'image': one of t2t"):
        CascadeAdapter({"brain": "127.0.0.1:1", "direct": ["image"]})
