"""The OCR engine: reading order, image sizes, and the languages of a recogniser."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from omnigap_services.ocr.engine import OcrEngine, TextBox, in_reading_order, languages_of


def picture(text: str) -> Image.Image:
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 28)
    image = Image.new("RGB", (768, 60 + 44 * len(text.splitlines())), "white")
    for number, line in enumerate(text.splitlines()):
        ImageDraw.Draw(image).text((30, 30 + 44 * number), line, font=font, fill="black")
    return image


def test_pieces_of_one_row_are_joined_left_to_right() -> None:
    pieces = [
        TextBox("second row", 10, 60, 90),
        TextBox("right", 200, 12, 42),
        TextBox("left", 10, 10, 40),
        TextBox("third", 10, 110, 140),
    ]
    assert in_reading_order(pieces) == "left right\nsecond row\nthird"


def test_a_question_with_choices_is_read_line_by_line() -> None:
    text = "Which country is famous for windmills?\nA. Mexico\nB. Thailand\nC. the Netherlands\nD. Iceland"
    assert OcrEngine(image_side=960, threads=1).read(picture(text)) == text


def test_an_image_without_text_is_read_as_an_empty_text() -> None:
    assert OcrEngine(image_side=960, threads=1).read(Image.new("RGB", (200, 100), "white")) == ""


@pytest.mark.parametrize("image_side", [2000, 3200])
def test_an_image_is_shrunk_exactly_to_the_configured_side(image_side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = OcrEngine(image_side, threads=1)
    seen: list[tuple[int, ...]] = []
    detect = engine._ocr.detect_and_crop

    def watched(image: np.ndarray, record: dict[str, object]) -> object:
        seen.append(image.shape)
        return detect(image, record)

    monkeypatch.setattr(engine._ocr, "detect_and_crop", watched)
    engine.read(Image.new("RGB", (3200, 64), "white"))
    # RapidOCR rounds sides to multiples of 32 pixels.
    assert [shape[1] for shape in seen] == [pytest.approx(image_side, abs=32)]


def test_a_language_needs_enough_letters_of_its_script() -> None:
    latin = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    assert languages_of(latin) == ("en",)
    assert languages_of(latin + "äöüß") == ("en", "de")
    assert languages_of(latin + "가나다") == ("en",)
    assert languages_of("".join(map(chr, range(0xAC00, 0xD7A4)))) == ("ko",)
