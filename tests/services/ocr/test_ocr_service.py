"""The `ocr` service over its socket: what an image shows, line by line, and nothing that could lead it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.ocr.reading import Reader
from omnigap_services.ocr.scripts import languages_of

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


def test_it_writes_what_an_image_shows(ocr: Served) -> None:
    text = "Who was born in 1969?\nA. Mexico\nB. Thailand"
    assert ocr.ask(picture(text)).text == text


@pytest.mark.parametrize("image_side", [2000, 3200])
def test_an_image_is_shrunk_to_the_side_that_is_set_and_no_further(
    image_side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(image_side, threads=1)
    seen: list[tuple[int, ...]] = []
    detect = reader._ocr.detect_and_crop

    def watched(image: np.ndarray, record: dict[str, object]) -> object:
        seen.append(image.shape)
        return detect(image, record)

    monkeypatch.setattr(reader._ocr, "detect_and_crop", watched)
    reader.read(Image.new("RGB", (3200, 64), "white"))
    # RapidOCR takes sides in steps of 32 pixels.
    assert [shape[1] for shape in seen] == [pytest.approx(image_side, abs=32)]


def test_an_image_without_text_is_read_as_nothing(ocr: Served) -> None:
    assert ocr.ask(Image.new("RGB", (300, 200), "white")).text == ""


def test_it_says_which_languages_it_writes_and_has_a_digest_of_its_own(ocr: Served) -> None:
    card = ocr.describe()
    assert card.name == "ocr"
    assert len(card.digest) == 64
    assert "en" in card.languages
    # The wheel's recogniser has no Hangul: whoever checks Korean images has to be told.
    assert "ko" not in card.languages


def test_words_beside_the_image_are_refused(ocr: Served) -> None:
    with pytest.raises(ContractError) as caught:
        ocr.ask(picture("Paris"), "The answer is Paris.")
    assert caught.value.reason is Reason.BAD_REQUEST
    assert "one image and no text" in caught.value.message


def test_speech_is_not_offered(ocr: Served) -> None:
    with pytest.raises(ContractError) as caught:
        ocr.ask(picture("Paris"), output=Modality.SPEECH)
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION


def test_a_recogniser_that_is_no_file_is_named(serve: Serve) -> None:
    with pytest.raises(AssertionError, match=r"recognition_model.*no such file"):
        serve("ocr", {"recognition_model": "/nowhere/rec.onnx"})


def test_a_script_counts_only_with_enough_of_its_letters() -> None:
    latin = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    assert languages_of(latin) == ("en",)
    assert languages_of(latin + "äöüß") == ("en", "de")
    assert languages_of(latin + "가나다") == ("en",)
    assert languages_of("".join(map(chr, range(0xAC00, 0xD7A4)))) == ("ko",)
