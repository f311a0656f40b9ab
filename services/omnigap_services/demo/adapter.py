"""The `demo` service: a look-up model with in-process ASR and OCR engines and a TTS service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from omnigap.vocabulary import REFERENCE
from omnigap_services.adapter import Card
from omnigap_services.cascade.adapter import ComposedAdapter
from omnigap_services.cascade.options import StageOptions
from omnigap_services.demo.model import LookupModel
from omnigap_services.options import read_options
from omnigap_services.source import source_hash

KNOWLEDGE = Path(__file__).parent / "knowledge.jsonl"
"""The shipped facts, one `{"text", "answer"}` per line."""


class DemoOptions(StageOptions):
    """Options of the `demo` service.

    Attributes:
        knowledge: JSON Lines file of facts.
        min_match: retrieval score, 0 to 1, below which the answer is "I don't know."
        name: empty: `demo`.
    """

    knowledge: Path = KNOWLEDGE
    min_match: float = Field(default=0.42, ge=0, le=1)


class DemoAdapter(ComposedAdapter):
    """A cascade whose language model looks questions up in a file of facts."""

    without_tiny = "its facts and its ASR checkpoint are part of omnigap"

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(DemoOptions, "demo", options)

    def load(self) -> Card:
        options, loop = self._options, self._open_loop()
        llm = LookupModel(options.knowledge, options.min_match, max_concurrent=options.max_batch_size)
        settings = {
            "image_side": str(options.image_side),
            # The digest covers the modules of this package only, and the composition is in another one.
            "code.cascade": source_hash("omnigap_services.cascade"),
        }
        return self._compose(
            llm, frozenset({REFERENCE}), options, loop, name=options.name or llm.card.name, settings=settings
        )
