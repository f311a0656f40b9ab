"""The demo model over its socket: six conditions, answered only from the carrier; transcription; options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from omnigap.card import is_shipped_model
from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Request
from omnigap_services.cascade.adapter import asks_to_transcribe
from omnigap_services.cascade.routes import MISSING_STAGE, Stage
from omnigap_services.demo.adapter import DemoAdapter
from omnigap_services.options import OptionsError

if TYPE_CHECKING:
    from tests.services.conftest import Serve, Served

FRANCE, EGYPT = "What is the capital of France?", "Which river flows through Cairo?"
TRANSCRIBE_SPEECH = "Transcribe the recording word for word. Write only what is said, and do not answer it."
TRANSCRIBE_IMAGE = (
    "Transcribe the text in the image word for word. Write only what is written there, and do not answer it."
)
CHOICES = "Which sport is played at Wimbledon?\nA. golf\nB. tennis\nC. rugby\nD. hockey"


def test_a_typed_question_is_answered_in_text_and_in_speech(demo: Served) -> None:
    assert demo.ask(FRANCE).text == "Paris"
    spoken = demo.ask(FRANCE, output=Modality.SPEECH)
    assert spoken.text == "Paris"
    assert spoken.audio is not None
    assert 0.2 < spoken.audio.seconds < 3
    assert np.abs(spoken.audio.samples).max() > 0.05


def test_swapped_images_swap_the_answers(demo: Served, draw: Callable[[str], Image.Image]) -> None:
    """The calls differ only in the pixels."""
    answers = [demo.ask(draw(question), "Answer with one word.").text for question in (FRANCE, EGYPT, FRANCE)]
    assert answers == ["Paris", "Nile", "Paris"]


def test_swapped_clips_swap_the_answers(demo: Served, say: Callable[..., AudioClip]) -> None:
    """The calls differ only in the samples."""
    questions = (FRANCE, "What do bees make from nectar?")
    first, second = (demo.ask(say(question), "Answer with one word.") for question in questions)
    assert first.text != second.text
    assert first.reasoning != second.reasoning


def test_a_cut_off_question_is_not_answered_as_if_it_were_whole(demo: Served, say: Callable[..., AudioClip]) -> None:
    clip = say(FRANCE)
    beginning = AudioClip(clip.samples[: len(clip.samples) // 3], clip.sample_rate)
    assert demo.ask(beginning).text != "Paris"


def test_empty_carriers_are_not_answered(demo: Served) -> None:
    assert demo.ask(Image.new("RGB", (400, 200), "white")).text == "I don't know."
    assert demo.ask(AudioClip(np.zeros(16_000, dtype=np.float32), 16_000)).text == "I don't know."


def test_an_unknown_question_is_answered_with_dont_know(demo: Served) -> None:
    assert demo.ask("What is the password of my computer?").text == "I don't know."


def test_choices_are_answered_with_a_letter(demo: Served, draw: Callable[[str], Image.Image]) -> None:
    assert demo.ask(CHOICES).text == "B"
    assert demo.ask(draw(CHOICES)).text == "B"
    assert demo.ask(CHOICES, output=Modality.SPEECH).text == "Option B."


def test_marks_beeps_and_dots_are_counted(demo: Served) -> None:
    instruction = "Count the marks, dots or beeps and answer with the number."
    beep = 0.4 * np.sin(2 * np.pi * 660 * np.arange(2_400) / 16_000)
    beeps = np.concatenate([np.zeros(2_400), *[beep, np.zeros(2_400)] * 4]).astype(np.float32)
    dots = Image.new("RGB", (320, 240), "white")
    dots.paste("black", (40, 40, 70, 70))
    dots.paste("black", (140, 40, 170, 70))
    assert demo.ask("* * *", instruction).text == "3"
    assert demo.ask(AudioClip(beeps, 16_000), instruction).text == "4"
    assert demo.ask(dots, instruction).text == "2"


def test_concurrent_calls_get_the_same_answers_as_single_calls(
    demo: Served, say: Callable[..., AudioClip], draw: Callable[[str], Image.Image]
) -> None:
    carriers = [FRANCE, say(FRANCE), draw(EGYPT), say(EGYPT), CHOICES, say("What is seven plus five?")]
    single = [demo.ask(carrier).text for carrier in carriers]
    with ThreadPoolExecutor(len(carriers)) as pool:
        assert [reply.text for reply in pool.map(demo.ask, carriers)] == single


def test_the_digest_covers_the_parts(demo: Served, espeak: Served) -> None:
    card = demo.describe()
    assert is_shipped_model(card)
    assert card.architecture == pb.ARCHITECTURE_CASCADE
    assert {part.role for part in card.parts} == {"asr", "ocr", "tts"}
    assert next(part.digest for part in card.parts if part.role == "tts") == espeak.describe().digest
    support = {(c.input, c.output): (c.support, c.reason) for c in card.conditions}
    assert support[pb.MODALITY_TEXT, pb.MODALITY_TEXT] == (pb.SUPPORT_NATIVE, "")
    assert support[pb.MODALITY_IMAGE, pb.MODALITY_SPEECH][0] == pb.SUPPORT_ASSISTED
    assert "OCR" in support[pb.MODALITY_IMAGE, pb.MODALITY_SPEECH][1]
    assert "espeak" in support[pb.MODALITY_IMAGE, pb.MODALITY_SPEECH][1]


def test_without_tts_speech_is_unsupported_and_the_option_is_named(serve: Serve, demo: Served) -> None:
    without_tts = serve("demo")
    assert without_tts.ask(FRANCE).text == "Paris"
    with pytest.raises(ContractError, match=MISSING_STAGE[Stage.TTS]) as refused:
        without_tts.ask(FRANCE, output=Modality.SPEECH)
    assert refused.value.reason is Reason.UNSUPPORTED_CONDITION
    assert without_tts.describe().digest != demo.describe().digest


def test_a_tts_service_that_stops_fails_only_speech(serve: Serve) -> None:
    tts = serve("espeak")
    model = serve("demo", {"tts": tts.address})
    tts.stop()
    with pytest.raises(ContractError, match=tts.address) as failed:
        model.ask(FRANCE, output=Modality.SPEECH)
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE
    assert model.ask(FRANCE).text == "Paris"


def test_an_image_is_transcribed_line_by_line(demo: Served, draw: Callable[[str], Image.Image]) -> None:
    assert demo.ask(draw(FRANCE), TRANSCRIBE_IMAGE).text == FRANCE
    assert demo.ask(draw(CHOICES), TRANSCRIBE_IMAGE).text == CHOICES


def test_the_transcript_of_a_clip_is_the_question_that_is_answered(demo: Served, say: Callable[..., AudioClip]) -> None:
    clip = say(FRANCE)
    transcript = demo.ask(clip, TRANSCRIBE_SPEECH).text
    assert f"question: {transcript}\n" == demo.ask(clip).reasoning
    assert demo.ask(transcript).text == demo.ask(clip).text


def test_the_transcript_of_an_empty_carrier_is_empty(demo: Served) -> None:
    assert demo.ask(Image.new("RGB", (400, 200), "white"), TRANSCRIBE_IMAGE).text == ""
    assert demo.ask(AudioClip(np.zeros(16_000, dtype=np.float32), 16_000), TRANSCRIBE_SPEECH).text == ""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (TRANSCRIBE_SPEECH, True),
        (TRANSCRIBE_IMAGE, True),
        ("Write down, word for word, what you hear.", True),
        ("Give it back verbatim.", True),
        ("Answer with one word.", False),
        ("Translate word for word.", False),
        ("", False),
    ],
)
def test_a_request_to_transcribe_is_recognised_by_the_typed_words(typed: str, expected: bool) -> None:
    parts = ("carrier", typed) if typed else ("carrier",)
    assert asks_to_transcribe(Request(parts=parts, output=Modality.TEXT)) is expected


def test_words_of_the_carrier_do_not_ask_to_transcribe() -> None:
    assert not asks_to_transcribe(Request(parts=("What does it mean to transcribe?",), output=Modality.TEXT))


def test_a_second_carrier_is_refused(demo: Served, draw: Callable[[str], Image.Image]) -> None:
    with pytest.raises(ContractError, match="one carrier") as refused:
        demo.ask(FRANCE, draw(EGYPT))
    assert refused.value.reason is Reason.BAD_REQUEST


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(OptionsError, match="service demo: unknown option 'llm'"):
        DemoAdapter({"llm": "127.0.0.1:9"})


def test_an_unreachable_tts_service_is_named_with_its_option() -> None:
    with pytest.raises(ContractError, match=r"no TTS service answers at 127\.0\.0\.1:9.*set tts"):
        DemoAdapter({"tts": "127.0.0.1:9", "wait_s": 0.2}).load()


def test_loading_and_answering_imports_no_torch() -> None:
    code = (
        "import sys; from PIL import Image; from omnigap_services.demo.adapter import DemoAdapter;"
        "adapter = DemoAdapter({}); adapter.load();"
        "adapter._stages.ocr.recognise(Image.new('RGB', (64, 64), 'white'), '', lambda: False);"
        "print(*{'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip(), done.stderr) == ("", "")
