"""Reading inside the cascade's own process: the reader of the `ocr` service, for one caller after the other."""

from __future__ import annotations

import threading

from PIL import Image

from omnigap_services.adapter import InputPart, Part
from omnigap_services.cascade.sensing import Perceived
from omnigap_services.loop_thread import Gone
from omnigap_services.ocr.reading import Reader


class Eye:
    """A loaded OCR."""

    def __init__(self, image_side: int, threads: int) -> None:
        self._reader = Reader(image_side, threads)
        self._one_at_a_time = threading.Lock()
        self.words = "the OCR RapidOCR reads"
        self.weights_revision = ""
        self.part = Part("ocr", "rapidocr", self._reader.digest)
        self.max_audio_seconds = 0.0
        self.max_image_pixels = 0

    def perceive(self, carrier: InputPart, language: str, gone: Gone) -> Perceived:
        """The text of an image, one line of it a line; empty where there is none."""
        assert isinstance(carrier, Image.Image), "an eye takes images"
        with self._one_at_a_time:
            return Perceived("" if gone() else self._reader.read(carrier))

    def close(self) -> None:
        """Nothing to free."""
