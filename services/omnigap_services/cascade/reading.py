"""Reading an image: RapidOCR with the models of its wheel, lines in reading order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from omnigap.digest import digest_of
from omnigap_services.asr.checkpoint import file_hash


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of text and the box around it, in pixels."""

    text: str
    left: float
    top: float
    bottom: float


class Reader:
    """A loaded OCR. One thread uses it."""

    def __init__(self, image_side: int, threads: int) -> None:
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
                "Det.limit_type": "max",
                "Det.limit_side_len": image_side,
                # One line at a time: in a batch, short lines are padded to the longest.
                "Rec.rec_batch_num": 1,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        self._models = sorted((Path(rapidocr.__file__).parent / "models").glob("*.onnx"))

    @property
    def digest(self) -> str:
        """Over the package's version, the models' bytes and the settings."""
        return digest_of(
            {
                "rapidocr": version("rapidocr"),
                "onnxruntime": version("onnxruntime"),
                "models": {path.name: file_hash(path) for path in self._models},
                "image_side": self._image_side,
            }
        )

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
