"""The `ocr` service over its socket: the text of an image line by line; text in the request is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason

if TYPE_CHECKING:
    from tests.services.conftest import Serve, Served


@pytest.fixture(scope="module")
def ocr(serve: Serve) -> Served:
    return serve("ocr")


def picture(text: str) -> Image.Image:
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 28)
    image = Image.new("RGB", (768, 60 + 44 * len(text.splitlines())), "white")
    for number, line in enumerate(text.splitlines()):
        ImageDraw.Draw(image).text((30, 30 + 44 * number), line, font=font, fill="black")
    return image


def test_the_text_of_an_image_is_returned(ocr: Served) -> None:
    text = "Who was born in 1969?\nA. Mexico\nB. Thailand"
    assert ocr.ask(picture(text)).text == text


def test_an_image_without_text_gives_an_empty_text(ocr: Served) -> None:
    assert ocr.ask(Image.new("RGB", (300, 200), "white")).text == ""


def test_describe_lists_the_languages_and_a_digest(ocr: Served) -> None:
    card = ocr.describe()
    assert card.name == "ocr"
    assert len(card.digest) == 64
    assert "en" in card.languages
    # The recogniser in the wheel has no Hangul, so Korean must not be declared.
    assert "ko" not in card.languages


def test_text_next_to_the_image_is_refused(ocr: Served) -> None:
    with pytest.raises(ContractError) as caught:
        ocr.ask(picture("Paris"), "The answer is Paris.")
    assert caught.value.reason is Reason.BAD_REQUEST
    assert "one image and no text" in caught.value.message


def test_speech_output_is_unsupported(ocr: Served) -> None:
    with pytest.raises(ContractError) as caught:
        ocr.ask(picture("Paris"), output=Modality.SPEECH)
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION


def test_a_missing_recognition_model_is_named(serve: Serve) -> None:
    with pytest.raises(AssertionError, match=r"recognition_model.*does not exist"):
        serve("ocr", {"recognition_model": "/nowhere/rec.onnx"})
