"""The OCR engine: RapidOCR with the models of its wheel, lines in reading order, and the languages that it can read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omnigap.digest import digest_of, file_sha256


@dataclass(frozen=True, slots=True)
class TextBox:
    """A piece of text and its box, in pixels."""

    text: str
    left: float
    top: float
    bottom: float


class OcrEngine:
    """A loaded RapidOCR, for use from one thread.

    Args:
        image_side: longer images are shrunk to this many pixels before they are searched for text.
        recognition_model: a PP-OCR recogniser in ONNX format to use instead of the one in the wheel.
    """

    def __init__(self, image_side: int, threads: int, recognition_model: Path | None = None) -> None:
        # RapidOCR logs to its own logger, in colour and already at import.
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        import rapidocr

        self._image_side = image_side
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "error",
                # Rendered questions are upright: the classifier of rotated lines would cost time for nothing.
                "Global.use_cls": False,
                # By default the detector enlarges the short side of every image to 736 pixels, 8 times the work for one
                # line. And every image is shrunk to 2000 pixels before the detector's own limit applies.
                "Global.max_side_len": max(2000, image_side),
                "Det.limit_type": "max",
                "Det.limit_side_len": image_side,
                # One line per batch: in a larger one, short lines are padded to the longest, and their text could
                # depend on the other lines.
                "Rec.rec_batch_num": 1,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                **({"Rec.model_path": str(recognition_model)} if recognition_model is not None else {}),
            }
        )
        self._models = sorted((Path(rapidocr.__file__).parent / "models").glob("*.onnx"))
        if recognition_model is not None:
            self._models.append(recognition_model)

    @property
    def digest(self) -> str:
        """Over package versions, models, settings and this file, for services that run this engine in-process."""
        return digest_of(
            {
                "code": file_sha256(Path(__file__)),
                "rapidocr": version("rapidocr"),
                "onnxruntime": version("onnxruntime"),
                "models": {path.name: file_sha256(path) for path in self._models},
                "image_side": self._image_side,
            }
        )

    @property
    def weights(self) -> str:
        """Over the models only: engines with other settings but the same weights do not count as independent."""
        return digest_of({path.name: file_sha256(path) for path in self._models})

    def characters(self) -> frozenset[str]:
        """The characters that the recogniser can output."""
        if self._ocr.text_rec is None:  # RapidOCR loads it when the first text is found.
            self.read(sample_image())
        return frozenset("".join(self._ocr.text_rec.postprocess_op.character))

    def read(self, image: Image.Image) -> str:
        """The text of an image, one line of text per line of the image; empty if there is none."""
        # RapidOCR expects BGR, as OpenCV does.
        found = self._ocr(np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1]))
        if found.txts is None or found.boxes is None:
            return ""
        lines = [
            TextBox(text, float(box[:, 0].min()), float(box[:, 1].min()), float(box[:, 1].max()))
            for text, box in zip(found.txts, found.boxes, strict=True)
        ]
        return in_reading_order(lines)


def sample_image() -> Image.Image:
    """An image with a word, so that reading it loads all models of the engine."""
    image = Image.new("RGB", (320, 80), "white")
    ImageDraw.Draw(image).text((20, 20), "Sample", fill="black", font=ImageFont.load_default(size=32))
    return image


def in_reading_order(pieces: Sequence[TextBox]) -> str:
    """The pieces from top to bottom, and left to right within a row.

    A piece belongs to a row if its vertical centre is within the height of the row's first piece: boxes of one line
    differ by a few pixels.
    """
    rows: list[list[TextBox]] = []
    for piece in sorted(pieces, key=lambda line: (line.top + line.bottom) / 2):
        centre = (piece.top + piece.bottom) / 2
        if rows and rows[-1][0].top <= centre <= rows[-1][0].bottom:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return "\n".join(" ".join(piece.text for piece in sorted(row, key=lambda line: line.left)) for row in rows)


# First and last letter of a script, the number of its letters that a recogniser needs, and the languages it can then
# write. For Chinese, Japanese and Korean that is fewer than the script has.
_SCRIPTS = (
    ("一", "鿿", 3000, ("zh",)),
    ("ぁ", "ヿ", 120, ("ja",)),
    ("가", "힣", 2000, ("ko",)),
    ("а", "я", 32, ("ru",)),
    ("α", "ω", 24, ("el",)),
    ("क", "ह", 30, ("hi",)),
)
# Languages in Latin script, by the letters that each needs beyond ASCII.
_LATIN = {"en": "", "de": "äöüß", "es": "áéíñóú", "fr": "àâçèéêîôù", "it": "àèéìòù", "pt": "ãâáçéêíõú"}
_ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def languages_of(characters: Collection[str]) -> tuple[str, ...]:
    """BCP-47 tags of the languages that can be written with these characters."""
    found = [tag for tag, letters in _LATIN.items() if all(letter in characters for letter in _ASCII + letters)]
    for first, last, enough, tags in _SCRIPTS:
        if sum(first <= character <= last for character in characters) >= enough:
            found += tags
    return tuple(found)
