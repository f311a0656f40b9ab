"""The `ocr` service: reads the text of one image per request. It verifies carriers and is not a model under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from pydantic import Field

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn
from omnigap_services.ocr.engine import OcrEngine, languages_of, sample_image
from omnigap_services.options import Options, OptionsError, read_options


class OcrOptions(Options):
    """Options of the `ocr` service.

    Attributes:
        image_side: longer images are shrunk to this many pixels before they are searched for text.
        recognition_model: an ONNX file of a PP-OCR recogniser that contains its character list, for scripts that the
            one in the wheel does not know, such as Hangul; unset: the one in the wheel.
        threads: more than one shortens a single answer and costs more work in all.
    """

    image_side: int = Field(default=2000, ge=64, le=8192)
    recognition_model: Path | None = None
    threads: int = Field(default=1, ge=1, le=64)
    max_queue: int = Field(default=256, ge=1)


class OcrAdapter(Adapter):
    """RapidOCR behind the Generate server: one image in, one line of text per line of the image."""

    without_tiny = "its models are small and part of its requirements"

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(OcrOptions, "ocr", options)
        # Checked before loading: RapidOCR would fail later, with a message that does not name the option.
        model = self._options.recognition_model
        if model is not None and not model.is_file():
            raise OptionsError(f"service ocr: option 'recognition_model' is {str(model)!r}: the file does not exist")

    def load(self) -> Card:
        options = self._options
        self._engine = OcrEngine(options.image_side, options.threads, options.recognition_model)
        return Card(
            name="ocr",
            conditions={Condition(Modality.IMAGE, Modality.TEXT): NATIVE},
            weights_revision=self._engine.weights,
            settings={"image_side": str(options.image_side)},
            libraries=("rapidocr", "onnxruntime"),
            languages=languages_of(self._engine.characters()),
            max_batch_size=4,
            max_queue=options.max_queue,
        )

    def warm_up(self) -> Request:
        # The default warm-up image is blank, and RapidOCR loads its recogniser only when it finds text.
        return Request(parts=(sample_image(),), output=Modality.TEXT)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                turn.write(self._engine.read(_image_of(turn.request)))
            except ContractError as error:
                turn.fail(error)
            else:
                turn.complete(Completion())


def _image_of(request: Request) -> Image.Image:
    """The one image of a request.

    Raises:
        ContractError: BAD_REQUEST for anything else. Text could steer an OCR model towards the expected answer.
    """
    if len(request.parts) != 1 or not isinstance(request.carrier, Image.Image) or request.system_prompt:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts{' and a system prompt' if request.system_prompt else ''}: the OCR takes one "
            "image and no text (leave [ocr] instruction empty)",
        )
    return request.carrier
