"""A cascade of services: what reaches the LLM, what comes back, and how the conditions are declared."""

from __future__ import annotations

import asyncio
import threading

import grpc
import numpy as np
import pytest
from PIL import Image

from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import CONDITIONS, FinishReason, Modality, Support
from omnigap_services.adapter import Capability, Completion, DecodingOptions, Turn, Voice
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.options import OptionsError
from tests.helpers.serve_process import Served
from tests.helpers.served_doubles import PATIENCE_S, Double, Serve
from tests.services.cascade.cascade_parts import (
    ANSWER,
    CLIP,
    OCR_TEXT,
    PICTURE,
    TRANSCRIPT,
    Parts,
    able,
    an_llm,
    compose,
    tone,
    writes,
)

SIX = tuple(condition.name for condition in CONDITIONS)
ASR, OCR, TTS = "ASR by asr", "OCR by ocr", "TTS by voice"


async def test_a_text_llm_receives_the_transcript_and_all_other_fields_of_the_request(host: Serve) -> None:
    cascade = await compose(host, an_llm("t2t"))
    reply = await cascade.ask(
        CLIP,
        "Answer with one word.",
        system_prompt="Be brief.",
        language="ko",
        decoding=pb.Decoding(max_new_tokens=9, temperature=0.0, seed=-3, extra={"thinking": "false"}),
    )
    assert reply.text == ANSWER
    assert reply.audio is None
    (asked,) = cascade.llm.asked
    assert asked.parts == (TRANSCRIPT, "Answer with one word.")
    assert asked.system_prompt == "Be brief."
    assert asked.language == "ko"
    assert asked.decoding == DecodingOptions(9, 0.0, seed=-3, extra={"thinking": "false"})
    assert cascade.parts.asr is not None
    (transcribed,) = cascade.parts.asr.asked
    assert isinstance(transcribed.carrier, AudioClip)
    assert np.abs(transcribed.carrier.samples - CLIP.samples).max() < 1e-4
    # Nothing that could steer the transcript.
    assert (transcribed.parts[1:], transcribed.system_prompt, transcribed.decoding) == ((), "", DecodingOptions())
    assert transcribed.language == "ko"


async def test_tts_speaks_the_text_of_the_llm(host: Serve) -> None:
    voice = Double(writes("ignored"), name="voice", conditions=able("t2s"), voices=(Voice("ann", "en"),))
    cascade = await compose(host, an_llm("t2t"), Parts(tts=voice))
    reply = await cascade.ask(
        PICTURE, output=Modality.SPEECH, voice=pb.VoiceSettings(name="ann", words_per_minute=150), language="en"
    )
    assert reply.text == ANSWER
    assert reply.audio is not None
    assert np.abs(reply.audio.samples - tone()).max() < 1e-4
    (asked,) = cascade.llm.asked
    assert (asked.parts, asked.output, asked.voice, asked.words_per_minute) == ((OCR_TEXT,), Modality.TEXT, None, None)
    (spoken,) = voice.asked
    assert (spoken.parts, spoken.voice, spoken.words_per_minute, spoken.language) == ((ANSWER,), "ann", 150, "en")


async def test_conditions_with_a_stage_are_declared_assisted(host: Serve) -> None:
    cascade = await compose(host, an_llm("t2t"))
    assert await cascade.support() == {
        "t2t": ("native", ""),
        "s2t": ("assisted", ASR),
        "i2t": ("assisted", OCR),
        "t2s": ("assisted", TTS),
        "s2s": ("assisted", f"{ASR}, {TTS}"),
        "i2s": ("assisted", f"{OCR}, {TTS}"),
    }
    card = await cascade.card()
    assert (card.name, card.architecture) == ("cascade-mind", pb.ARCHITECTURE_CASCADE)
    assert {(part.role, part.name) for part in card.parts} == {
        ("llm", "mind"),
        ("asr", "asr"),
        ("ocr", "ocr"),
        ("tts", "voice"),
    }
    assert card.settings["asr.weights_revision"] == "asr-1"
    assert list(card.languages) == ["en", "ko"]


async def test_an_llm_that_takes_images_receives_the_image(host: Serve) -> None:
    cascade = await compose(host, an_llm("t2t", "i2t"), Parts(ocr=None))
    assert (await cascade.ask(PICTURE, "Which city?")).text == ANSWER
    (asked,) = cascade.llm.asked
    assert isinstance(asked.carrier, Image.Image)
    assert asked.carrier.tobytes() == PICTURE.tobytes()
    assert asked.parts[1:] == ("Which city?",)
    support = await cascade.support()
    assert (support["i2t"], support["i2s"]) == (("native", ""), ("assisted", TTS))
    assert support["s2t"] == ("assisted", ASR)
    card = await cascade.card()
    assert card.architecture == pb.ARCHITECTURE_CASCADE
    assert "ocr" not in {part.role for part in card.parts}


async def test_an_llm_that_takes_speech_and_images_is_native_for_text_output(host: Serve) -> None:
    """Neither ASR nor OCR is loaded."""
    cascade = await compose(host, an_llm("t2t", "s2t", "i2t"), Parts(asr=None, ocr=None), name="multimodal")
    support = await cascade.support()
    assert [support[name] for name in ("t2t", "s2t", "i2t")] == [("native", "")] * 3
    assert [support[name] for name in ("t2s", "s2s", "i2s")] == [("assisted", TTS)] * 3
    card = await cascade.card()
    assert (card.name, card.architecture) == ("multimodal", pb.ARCHITECTURE_NATIVE_OMNI)
    assert {part.role for part in card.parts} == {"llm", "tts"}
    reply = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert reply.audio is not None
    (asked,) = cascade.llm.asked
    assert isinstance(asked.carrier, AudioClip)
    assert asked.output is Modality.TEXT


async def test_with_direct_empty_an_omni_model_is_only_given_text(host: Serve) -> None:
    """The positive control: the same LLM with other ASR, OCR and TTS."""
    cascade = await compose(host, an_llm(*SIX), direct=[], name="control")
    for carrier in ("Where is Paris?", CLIP, PICTURE):
        for output in (Modality.TEXT, Modality.SPEECH):
            assert (await cascade.ask(carrier, output=output)).text == ANSWER
    assert {type(part) for request in cascade.llm.asked for part in request.parts} == {str}
    assert {request.output for request in cascade.llm.asked} == {Modality.TEXT}
    support = await cascade.support()
    assert [name for name, (word, _) in support.items() if word == "native"] == ["t2t"]
    assert (await cascade.card()).architecture == pb.ARCHITECTURE_CASCADE


async def test_an_omni_model_without_stages_is_passed_through(host: Serve) -> None:
    cascade = await compose(host, an_llm(*SIX), Parts(None, None, None))
    assert set((await cascade.support()).values()) == {("native", "")}
    assert {part.role for part in (await cascade.card()).parts} == {"llm"}
    reply = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert reply.text == ANSWER
    assert reply.audio is not None
    (asked,) = cascade.llm.asked
    assert asked.condition.name == "s2s"


async def test_direct_may_name_single_conditions(host: Serve) -> None:
    cascade = await compose(host, an_llm(*SIX), direct=["s2t"])
    assert (await cascade.ask(CLIP, output=Modality.SPEECH)).text == ANSWER
    (asked,) = cascade.llm.asked
    assert asked.condition.name == "s2t"
    assert (await cascade.support())["i2t"] == ("assisted", OCR)


async def test_the_digest_depends_on_direct_and_on_every_part(host: Serve) -> None:
    digests = set()
    for llm, parts, options in (
        (an_llm(*SIX), Parts(), {}),
        (an_llm(*SIX), Parts(), {"direct": []}),
        (an_llm(*SIX, weights_revision="2"), Parts(), {"direct": []}),
        (an_llm(*SIX), Parts(asr=Double(name="asr", conditions=able("s2t"), version="2")), {"direct": []}),
        (an_llm(*SIX), Parts(tts=Double(name="voice", conditions=able("t2s"), version="2")), {"direct": []}),
        (
            an_llm(*SIX),
            Parts(ocr=Double(name="r", conditions=able("i2t"))),
            {"direct": [], "ocr_prompt": "Read"},
        ),
    ):
        digests.add((await (await compose(host, llm, parts, **options)).card()).digest)
    assert len(digests) == 6


async def test_the_digest_does_not_depend_on_where_the_weights_of_a_part_come_from(host: Serve) -> None:
    cards = []
    for name in ("my-folder", "owner/name@commit"):
        weights = {"name": name, "weights_revision": "sha256:1", "weights_source": name}
        parts = Parts(asr=Double(conditions=able("s2t"), **weights), tts=Double(conditions=able("t2s"), **weights))
        cards.append(await (await compose(host, an_llm(*SIX, **weights), parts, direct=[])).card())
    assert cards[0].digest == cards[1].digest
    assert cards[0].settings["asr.weights_revision"] == "sha256:1"
    assert cards[1].weights_revision == "sha256:1 (owner/name@commit)"


async def test_text_and_reasoning_are_streamed(host: Serve) -> None:
    resume = threading.Event()

    def answer(turn: Turn) -> None:
        turn.reason("Let me think. ")
        turn.write("It is ")
        assert resume.wait(PATIENCE_S)
        turn.write("Paris.")

    cascade = await compose(host, an_llm("t2t", answer=lambda turn: turn.write("warm")))
    cascade.llm.answer = answer
    async with grpc.aio.insecure_channel(cascade.served.address) as channel:
        request = pb.GenerateRequest(parts=[pb.InputPart(text="Where?")], output=pb.MODALITY_TEXT)
        call = ModelServiceStub(channel).Generate(request, timeout=PATIENCE_S)
        first = [(await call.read()).delta for _ in range(2)]
        assert (first[0].reasoning, first[1].text) == ("Let me think. ", "It is ")
        resume.set()
        assert (await call.read()).delta.text == "Paris."
        assert (await call.read()).HasField("complete")


async def test_diagnostics_are_prefixed_with_the_stage(host: Serve) -> None:
    answer = writes(
        ANSWER,
        finish_reason=FinishReason.LENGTH,
        input_tokens=7,
        output_tokens=5,
        diagnostics={"avg_logprob": -2.0},
    )
    cascade = await compose(host, an_llm("t2t", answer=answer))
    reply = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert dict(reply.complete.diagnostics) == {"asr_avg_logprob": -0.5, "llm_avg_logprob": -2.0, "tts_rtf": 0.1}
    assert (reply.complete.usage.input_tokens, reply.complete.usage.output_tokens) == (7, 5)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.complete.detected_language == "en"
    assert reply.reasoning == f"question: {TRANSCRIPT}\n"
    assert dict((await cascade.ask(PICTURE)).complete.diagnostics) == {"ocr_lines": 1.0, "llm_avg_logprob": -2.0}


async def test_an_empty_transcript_is_still_a_question(host: Serve) -> None:
    """A real pipeline answers something to silence: that is its answer, not a failure."""
    empty_asr = Double(writes(""), name="asr", conditions=able("s2t"))
    cascade = await compose(host, an_llm("t2t"), Parts(asr=empty_asr))
    assert (await cascade.ask(CLIP, "Answer with one word.")).text == ANSWER
    assert cascade.llm.asked[0].parts == ("[inaudible]", "Answer with one word.")


@pytest.mark.parametrize(("plain", "spoken"), [(True, "It is Paris."), (False, "It is **Paris**.")])
async def test_markdown_is_kept_in_the_text_and_removed_before_tts(host: Serve, plain: bool, spoken: str) -> None:
    cascade = await compose(host, an_llm("t2t", answer=writes("It is **Paris**.")), plain_speech=plain)
    assert (await cascade.ask("Where?", output=Modality.SPEECH)).text == "It is **Paris**."
    assert cascade.parts.tts is not None
    assert cascade.parts.tts.asked[0].parts == (spoken,)


@pytest.mark.parametrize("text", ["", " \n", "..."])
async def test_an_answer_without_words_is_silent_and_not_a_failure(host: Serve, text: str, espeak: Served) -> None:
    """espeak itself refuses such a text."""
    parts = Parts(tts=None)
    cascade = await compose(host, an_llm("t2t", answer=writes(text)), parts, tts=espeak.address)
    reply = await cascade.ask("Where?", output=Modality.SPEECH)
    assert reply.text == text
    assert reply.audio is not None
    assert reply.audio.seconds == 0
    assert reply.complete.finish_reason == pb.FINISH_REASON_STOP


async def test_tts_audio_is_resampled_to_the_rate_of_an_llm_that_speaks(host: Serve) -> None:
    def speaks(turn: Turn) -> None:
        turn.write(ANSWER)
        if turn.request.output is Modality.SPEECH:
            for piece in np.split(tone(24_000), 4):
                turn.speak(piece, 24_000)

    llm = an_llm("t2t", "t2s", "s2t", answer=speaks, output_sample_rate_hz=24_000)
    cascade = await compose(host, llm)
    assert (await cascade.card()).output_sample_rate_hz == 24_000
    own = await cascade.ask("Where?", output=Modality.SPEECH)
    spoken = await cascade.ask(CLIP, output=Modality.SPEECH)
    assert own.audio is not None
    assert spoken.audio is not None
    assert np.abs(own.audio.samples - tone(24_000)).max() < 1e-4
    assert (own.audio.sample_rate, spoken.audio.sample_rate) == (24_000, 24_000)
    assert abs(spoken.audio.seconds - 0.25) < 0.01


async def test_a_voice_name_is_sent_only_to_the_part_that_has_the_voice(host: Serve) -> None:
    llm = an_llm("t2t", "t2s", "s2t", voices=(Voice("chelsie", "en"),))
    voice = Double(writes("ignored"), name="voice", conditions=able("t2s"), voices=(Voice("ann", "en"),))
    cascade = await compose(host, llm, Parts(tts=voice))
    assert [voice.name for voice in (await cascade.card()).voices] == ["chelsie", "ann"]
    settings = pb.VoiceSettings(name="chelsie")
    await cascade.ask("Where?", output=Modality.SPEECH, voice=settings)
    await cascade.ask(CLIP, output=Modality.SPEECH, voice=settings)
    assert llm.asked[0].voice == "chelsie"
    assert voice.asked[0].voice is None


async def test_media_limits_are_those_of_the_parts_that_take_the_medium(host: Serve) -> None:
    asr = Double(writes(TRANSCRIPT), name="asr", conditions=able("s2t"), max_audio_seconds=33.0)
    llm = an_llm("t2t", "i2t", max_audio_seconds=5.0, max_image_pixels=1_000_000, max_text_chars=999)
    limits = (await (await compose(host, llm, Parts(asr=asr))).card()).limits
    assert (limits.max_audio_seconds, limits.max_image_pixels, limits.max_text_chars) == (33.0, 1_000_000, 999)


async def test_the_reason_of_an_assisted_llm_is_kept(host: Serve) -> None:
    own = {**able("t2t"), **dict.fromkeys(able("i2t"), Capability(Support.ASSISTED, "its own OCR"))}
    support = await (await compose(host, Double(writes(ANSWER), name="mind", conditions=own))).support()
    assert support["i2t"] == ("assisted", "its own OCR")
    assert support["i2s"] == ("assisted", f"{TTS}, its own OCR")


async def test_a_long_answer_to_the_warm_up_does_not_keep_a_cascade_from_starting(host: Serve) -> None:
    """TTS would refuse such a long text, so the warm-up requests text."""
    voice = Double(writes("ignored"), name="voice", conditions=able("t2s"), max_text_chars=100)
    verbose = an_llm("t2t", answer=writes("Well. " * 50))
    cascade = await compose(host, verbose, Parts(tts=voice))
    verbose.answer = writes(ANSWER)
    assert (await cascade.ask("Where?", output=Modality.SPEECH)).text == ANSWER


async def test_none_leaves_a_stage_out(host: Serve) -> None:
    cascade = await compose(host, an_llm("t2t"), Parts(None, None, None), asr="none", ocr="none")
    support = await cascade.support()
    assert support["s2t"][0] == support["i2t"][0] == support["t2s"][0] == "unsupported"
    assert "set asr" in support["s2t"][1]
    assert "set ocr" in support["i2s"][1]
    assert "set tts" in support["i2s"][1]


async def test_concurrent_questions_reach_the_llm_concurrently(host: Serve) -> None:
    """As many as it declares: each waits until all have arrived."""
    together = threading.Barrier(4)

    def answer(turn: Turn) -> None:
        if turn.request.parts == ("all",):
            together.wait(PATIENCE_S)
        turn.write(ANSWER)
        turn.complete(Completion())

    cascade = await compose(host, an_llm("t2t", answer=answer, workers=4, max_concurrent=4))
    replies = await asyncio.gather(*(cascade.ask("all") for _ in range(8)))
    assert [reply.text for reply in replies] == [ANSWER] * 8


@pytest.mark.parametrize("name", ["demo", "cascade", "echo"])
def test_names_of_shipped_models_are_refused(name: str) -> None:
    """Reports say that results of these models prove nothing about real ones."""
    with pytest.raises(OptionsError, match=rf"option 'name' is '{name}'.*ships with omnigap"):
        CascadeAdapter({"llm": "127.0.0.1:1", "name": name})


def test_a_missing_llm_option_is_named() -> None:
    with pytest.raises(OptionsError, match="option 'llm' is missing"):
        CascadeAdapter({"direct": [], "concurrency": 3})


def test_an_unknown_condition_in_direct_is_named() -> None:
    with pytest.raises(OptionsError, match=r"option 'direct' is \['image'\].*unknown condition 'image': one of t2t"):
        CascadeAdapter({"llm": "127.0.0.1:1", "direct": ["image"]})


@pytest.mark.parametrize("stage", ["llm", "asr", "ocr", "tts"])
async def test_a_part_with_random_weights_makes_the_whole_random(host: Serve, stage: str) -> None:
    def random(name: str) -> dict[str, object]:
        return {"random_weights": name == stage}

    parts = Parts(
        asr=Double(writes(TRANSCRIPT), name="asr", conditions=able("s2t"), **random("asr")),
        ocr=Double(writes(OCR_TEXT), name="ocr", conditions=able("i2t"), **random("ocr")),
        tts=Double(writes("-"), name="voice", conditions=able("t2s"), **random("tts")),
    )
    card = await (await compose(host, an_llm("t2t", **random("llm")), parts)).card()
    assert card.random_weights
    assert [part.role for part in card.parts if part.random_weights] == [stage]
    assert not (await (await compose(host, an_llm("t2t"))).card()).random_weights
