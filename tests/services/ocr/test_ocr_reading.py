"""Lines of an image come in reading order, and real text is read."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from omnigap_services.ocr.reading import Line, Reader, in_reading_order


def test_pieces_of_one_row_are_joined_left_to_right() -> None:
    pieces = [
        Line("second row", 10, 60, 90),
        Line("right", 200, 12, 42),
        Line("left", 10, 10, 40),
        Line("third", 10, 110, 140),
    ]
    assert in_reading_order(pieces) == "left right\nsecond row\nthird"


def test_a_drawn_question_with_choices_is_read_line_by_line(draw: Callable[[str], Image.Image]) -> None:
    text = "Which country is famous for windmills?\nA. Mexico\nB. Thailand\nC. the Netherlands\nD. Iceland"
    assert Reader(image_side=960, threads=1).read(draw(text)) == text


def test_an_image_without_text_is_read_as_nothing() -> None:
    assert Reader(image_side=960, threads=1).read(Image.new("RGB", (200, 100), "white")) == ""
