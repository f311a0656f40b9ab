"""The `ocr` service: an image in, its text out. It reads carriers back; it is no model under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_services.adapter import NATIVE, Adapter, Card, Completion, Request, Turn
from omnigap_services.ocr.options import OcrOptions
from omnigap_services.ocr.reading import Reader, sample
from omnigap_services.ocr.scripts import languages_of
from omnigap_services.options import OptionsError, read_options


class OcrAdapter(Adapter):
    """RapidOCR behind the Generate server: one image in, one line of text for each line that it shows."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(OcrOptions, "ocr", options)
        model = self._options.recognition_model
        if model is not None and not model.is_file():
            raise OptionsError(f"service ocr: option 'recognition_model' is {str(model)!r}: there is no such file")

    def load(self) -> Card:
        options = self._options
        self._reader = Reader(options.image_side, options.threads, options.recognition_model)
        return Card(
            name="ocr",
            conditions={Condition(Modality.IMAGE, Modality.TEXT): NATIVE},
            weights_revision=self._reader.weights,
            settings={"image_side": str(options.image_side)},
            libraries=("rapidocr", "onnxruntime"),
            languages=languages_of(self._reader.characters()),
            max_batch_size=4,
            max_queue=options.max_queue,
        )

    def warm_up(self) -> Request:
        return Request(parts=(sample(),), output=Modality.TEXT)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                turn.write(self._reader.read(_picture(turn.request)))
            except ContractError as error:
                turn.fail(error)
            else:
                turn.complete(Completion())


def _picture(request: Request) -> Image.Image:
    """The request's one image; words beside it could lead a reader to what it should read."""
    if len(request.parts) != 1 or not isinstance(request.carrier, Image.Image) or request.system_prompt:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts{' and a system prompt' if request.system_prompt else ''}: the OCR takes one "
            "image and no text (leave [reader] instruction empty)",
        )
    return request.carrier
