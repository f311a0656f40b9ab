"""The cascade over its socket: six conditions, and nothing known but what is sent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.cascade.routes import MISSING, Help
from omnigap_services.options import OptionsError

if TYPE_CHECKING:
    from tests.services.conftest import Serve, Served

FRANCE, EGYPT = "What is the capital of France?", "Which river flows through Cairo?"
CHOICES = "Which sport is played at Wimbledon?\nA. golf\nB. tennis\nC. rugby\nD. hockey"


def test_a_typed_question_is_answered_in_text_and_in_speech(cascade: Served) -> None:
    assert cascade.ask(FRANCE).text == "Paris"
    spoken = cascade.ask(FRANCE, output=Modality.SPEECH)
    assert spoken.text == "Paris"
    assert spoken.audio is not None
    assert 0.2 < spoken.audio.seconds < 3
    assert np.abs(spoken.audio.samples).max() > 0.05


def test_swapped_images_swap_the_answers(cascade: Served, draw: Callable[[str], Image.Image]) -> None:
    """All but the pixels is the same in both calls."""
    answers = [cascade.ask(draw(question), "Answer with one word.").text for question in (FRANCE, EGYPT, FRANCE)]
    assert answers == ["Paris", "Nile", "Paris"]


def test_swapped_clips_swap_the_answers(cascade: Served, say: Callable[..., AudioClip]) -> None:
    """All but the samples is the same in both calls."""
    questions = (FRANCE, "What do bees make from nectar?")
    first, second = (cascade.ask(say(question), "Answer with one word.") for question in questions)
    assert first.text != second.text
    assert first.reasoning != second.reasoning


def test_it_hears_what_the_clip_says_and_not_what_was_meant(cascade: Served, say: Callable[..., AudioClip]) -> None:
    """A question cut off before its key word can not be answered as if it were whole."""
    clip = say(FRANCE)
    stub = AudioClip(clip.samples[: len(clip.samples) // 3], clip.sample_rate)
    assert cascade.ask(stub).text != "Paris"


def test_blank_carriers_are_not_answered(cascade: Served) -> None:
    assert cascade.ask(Image.new("RGB", (400, 200), "white")).text == "I don't know."
    assert cascade.ask(AudioClip(np.zeros(16_000, dtype=np.float32), 16_000)).text == "I don't know."


def test_an_unknown_question_gets_an_honest_answer(cascade: Served) -> None:
    assert cascade.ask("What is the password of my computer?").text == "I don't know."


def test_choices_are_answered_with_a_letter(cascade: Served, draw: Callable[[str], Image.Image]) -> None:
    assert cascade.ask(CHOICES).text == "B"
    assert cascade.ask(draw(CHOICES)).text == "B"
    assert cascade.ask(CHOICES, output=Modality.SPEECH).text == "Option B."


def test_counting_uses_the_carrier_of_its_modality(cascade: Served) -> None:
    instruction = "Count the marks, dots or beeps and answer with the number."
    beep = 0.4 * np.sin(2 * np.pi * 660 * np.arange(2_400) / 16_000)
    beeps = np.concatenate([np.zeros(2_400), *[beep, np.zeros(2_400)] * 4]).astype(np.float32)
    dots = Image.new("RGB", (320, 240), "white")
    dots.paste("black", (40, 40, 70, 70))
    dots.paste("black", (140, 40, 170, 70))
    assert cascade.ask("* * *", instruction).text == "3"
    assert cascade.ask(AudioClip(beeps, 16_000), instruction).text == "4"
    assert cascade.ask(dots, instruction).text == "2"


def test_calls_at_once_get_the_answers_they_get_alone(
    cascade: Served, say: Callable[..., AudioClip], draw: Callable[[str], Image.Image]
) -> None:
    carriers = [FRANCE, say(FRANCE), draw(EGYPT), say(EGYPT), CHOICES, say("What is seven plus five?")]
    alone = [cascade.ask(carrier).text for carrier in carriers]
    with ThreadPoolExecutor(len(carriers)) as pool:
        assert [reply.text for reply in pool.map(cascade.ask, carriers)] == alone


def test_its_digest_covers_its_parts(cascade: Served, espeak: Served) -> None:
    card = cascade.describe()
    assert card.architecture == pb.ARCHITECTURE_CASCADE
    assert {part.role for part in card.parts} == {"asr", "ocr", "tts"}
    assert next(part.digest for part in card.parts if part.role == "tts") == espeak.describe().digest
    support = {(c.input, c.output): (c.support, c.reason) for c in card.conditions}
    assert support[pb.MODALITY_TEXT, pb.MODALITY_TEXT] == (pb.SUPPORT_NATIVE, "")
    assert support[pb.MODALITY_IMAGE, pb.MODALITY_SPEECH][0] == pb.SUPPORT_ASSISTED
    assert "OCR" in support[pb.MODALITY_IMAGE, pb.MODALITY_SPEECH][1]
    assert "espeak" in support[pb.MODALITY_IMAGE, pb.MODALITY_SPEECH][1]


def test_without_a_voice_speech_is_unsupported_and_says_what_to_set(serve: Serve, cascade: Served) -> None:
    mute = serve("cascade")
    assert mute.ask(FRANCE).text == "Paris"
    with pytest.raises(ContractError, match=MISSING[Help.SPEAKING]) as refused:
        mute.ask(FRANCE, output=Modality.SPEECH)
    assert refused.value.reason is Reason.UNSUPPORTED_CONDITION
    assert mute.describe().digest != cascade.describe().digest


def test_a_voice_that_goes_away_fails_speech_alone(serve: Serve) -> None:
    voice = serve("espeak")
    speaker = serve("cascade", {"tts": voice.address})
    voice.stop()
    with pytest.raises(ContractError, match=voice.address) as failed:
        speaker.ask(FRANCE, output=Modality.SPEECH)
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE
    assert speaker.ask(FRANCE).text == "Paris"


def test_a_second_carrier_is_refused(cascade: Served, draw: Callable[[str], Image.Image]) -> None:
    with pytest.raises(ContractError, match="one carrier") as refused:
        cascade.ask(FRANCE, draw(EGYPT))
    assert refused.value.reason is Reason.BAD_REQUEST


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(OptionsError, match="service cascade: unknown option 'asr'"):
        CascadeAdapter({"asr": "large-v3"})


def test_a_missing_voice_is_named_with_its_option() -> None:
    with pytest.raises(ContractError, match=r"no TTS service answers at 127\.0\.0\.1:9.*set tts"):
        CascadeAdapter({"tts": "127.0.0.1:9", "wait_s": 0.2}).load()


def test_loading_and_answering_imports_no_torch() -> None:
    code = (
        "import sys; from PIL import Image; from omnigap_services.cascade.adapter import CascadeAdapter;"
        "adapter = CascadeAdapter({}); adapter.load();"
        "adapter._helpers.reader.perceive(Image.new('RGB', (64, 64), 'white'), '', lambda: False);"
        "print(*{'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip(), done.stderr) == ("", "")
