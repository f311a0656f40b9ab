"""Reading an image: RapidOCR with the models of its wheel, lines in reading order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omnigap.digest import digest_of, file_sha256


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of text and the box around it, in pixels."""

    text: str
    left: float
    top: float
    bottom: float


class Reader:
    """A loaded OCR. One thread uses it.

    Args:
        image_side: longer images are shrunk to this many pixels before text is sought in them.
        recognition_model: an ONNX recogniser (PP-OCR, its characters inside) instead of the wheel's.
    """

    def __init__(self, image_side: int, threads: int, recognition_model: Path | None = None) -> None:
        # RapidOCR logs on its own logger, in colour, at import already.
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        import rapidocr

        self._image_side = image_side
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "error",
                # Rendered questions stand upright: the classifier of turned lines is left out.
                "Global.use_cls": False,
                # By default the detector enlarges every image to 736 pixels on its short side: 8 x the work for a line.
                # It shrinks every image to 2000 pixels even before the detector's own limit is asked.
                "Global.max_side_len": max(2000, image_side),
                "Det.limit_type": "max",
                "Det.limit_side_len": image_side,
                # One line at a time: in a batch, short lines are padded to the longest.
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
        """Over the package's version, the models' bytes, the settings and this file, which the cascade's own lacks."""
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
        """Over the models' bytes alone: readers of other settings with the same weights are no second opinion."""
        return digest_of({path.name: file_sha256(path) for path in self._models})

    def characters(self) -> frozenset[str]:
        """What the recogniser can write at all; a script that is not among it is never read."""
        if self._ocr.text_rec is None:  # It is loaded by the first text that is found.
            self.read(sample())
        return frozenset("".join(self._ocr.text_rec.postprocess_op.character))

    def read(self, image: Image.Image) -> str:
        """The text of an image, one line of it a line; empty where there is none."""
        # RapidOCR takes BGR, as OpenCV does.
        found = self._ocr(np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1]))
        if found.txts is None or found.boxes is None:
            return ""
        lines = [
            Line(text, float(box[:, 0].min()), float(box[:, 1].min()), float(box[:, 1].max()))
            for text, box in zip(found.txts, found.boxes, strict=True)
        ]
        return in_reading_order(lines)


def sample() -> Image.Image:
    """A picture with a word on it, so that reading it loads the whole of a reader."""
    image = Image.new("RGB", (320, 80), "white")
    ImageDraw.Draw(image).text((20, 20), "Sample", fill="black", font=ImageFont.load_default(size=32))
    return image


def in_reading_order(pieces: Sequence[Line]) -> str:
    """Top to bottom, and left to right among pieces whose middles lie within each other's height."""
    rows: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda line: (line.top + line.bottom) / 2):
        middle = (piece.top + piece.bottom) / 2
        if rows and rows[-1][0].top <= middle <= rows[-1][0].bottom:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return "\n".join(" ".join(piece.text for piece in sorted(row, key=lambda line: line.left)) for row in rows)
