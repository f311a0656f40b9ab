"""What a user may set about the cascade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from omnigap.channel import check_proxy
from omnigap.vocabulary import Architecture, Condition
from omnigap_services.asr.options import AsrOptions
from omnigap_services.options import Options

KNOWLEDGE = Path(__file__).parent / "knowledge.jsonl"
"""The shipped facts, one `{"text", "answer"}` a line."""

NOBODY = "none"
"""In place of an address: leave this part out."""

AUTO = "auto"

# Reports say of models of these names that they prove nothing about real ones.
_SHIPPED = ("cascade", "echo")

# They belong to a brain that is a service.
_OF_A_BRAIN = ("direct", "plain_speech", "concurrency")


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _conditions(names: tuple[str, ...]) -> tuple[str, ...]:
    if names != (AUTO,):
        for name in names:
            Condition.parse(name)
    return names


class CascadeOptions(Options):
    """Options of the `cascade` service.

    Attributes:
        brain: `host:port` of any Generate service that answers text with text; empty: the shipped facts.
        ears: `host:port` of a service that writes down speech; empty: the ASR engine inside; `none`: nobody hears.
        reader: `host:port` of a service that writes down the words of an image; empty: the OCR inside; `none`.
        tts: `host:port` of a service that speaks; empty: only the brain speaks, where it can.
        direct: conditions in which the brain gets the carrier, and gives the answer, itself; `"auto"`: all that it
            declares. Text in text always is: `[]` leaves it nothing else.
        reader_prompt: typed beside the image for a reader that has to be told what to do.
        plain_speech: the voice is not given the marks of Markdown in the brain's text; the own text keeps them.
        name: of this model in reports; empty: `cascade`, and the brain's name behind it.
        architecture: empty: the brain's own where it hears and sees by itself, else cascade.
        wait_s: how long loading waits for each of these services.
        timeout_s: of one call to one of them.
        proxy: `http://HOST:PORT` of an HTTP proxy that they are called through, but for loopback ones; empty: none.
        concurrency: questions under way at once; 0: as many as the brain takes, and those that are heard or spoken.
        asr_checkpoint: what the engine inside hears with, as the `asr` service's `checkpoint`; empty: the shipped one.
        asr_revision, asr_device, asr_compute_type, asr_beam_size: as the `asr` service's.
        knowledge: JSON Lines file of facts.
        min_match: retrieval score, 0 to 1, under which the answer is "I don't know."
        image_side: longer images are shrunk to this many pixels before the OCR inside seeks text in them.
        asr_threads: as the `asr` service's `cpu_threads`.
        ocr_threads: more than one shortens a single answer and costs more work in all.
        max_batch_size: clips that go through the engine inside at once.
    """

    brain: str = ""
    ears: str = ""
    reader: str = ""
    tts: str = ""
    direct: Annotated[tuple[str, ...], BeforeValidator(_as_list), AfterValidator(_conditions)] = (AUTO,)
    reader_prompt: str = ""
    plain_speech: bool = True
    name: str = ""
    architecture: Architecture | None = None
    wait_s: float = Field(default=60.0, ge=0)
    timeout_s: float = Field(default=600.0, gt=0)
    proxy: Annotated[str, AfterValidator(check_proxy)] = ""
    concurrency: int = Field(default=0, ge=0, le=256)
    asr_checkpoint: str = ""
    asr_revision: str | None = None
    asr_device: Literal["auto", "cpu", "cuda"] = "auto"
    asr_compute_type: str = "auto"
    asr_beam_size: int = Field(default=5, ge=1, le=20)
    knowledge: Path = KNOWLEDGE
    min_match: float = Field(default=0.42, ge=0, le=1)
    image_side: int = Field(default=960, ge=64, le=4096)
    asr_threads: int = Field(default=0, ge=0, le=256)
    ocr_threads: int = Field(default=1, ge=1, le=64)
    max_batch_size: int = Field(default=8, ge=1, le=64)

    @model_validator(mode="after")
    def _fits_a_brain(self) -> CascadeOptions:
        if not self.brain:
            if needless := [name for name in _OF_A_BRAIN if name in self.model_fields_set]:
                raise ValueError(f"{' and '.join(needless)} belong to a brain: set brain, or leave them out")
        elif self.name in _SHIPPED:
            raise ValueError(f"the name {self.name!r} is the shipped cascade's: give one with a brain another name")
        return self

    def straight(self) -> frozenset[Condition] | None:
        """The conditions that are asked for by name; None: all that the brain declares."""
        return None if self.direct == (AUTO,) else frozenset(Condition.parse(name) for name in self.direct)

    def hearing(self) -> AsrOptions:
        """The options of the engine that hears."""
        return AsrOptions.model_validate(
            {
                "checkpoint": self.asr_checkpoint,
                "revision": self.asr_revision,
                "device": self.asr_device,
                "compute_type": self.asr_compute_type,
                "beam_size": self.asr_beam_size,
                "cpu_threads": self.asr_threads,
                "max_batch_size": self.max_batch_size,
            }
        )
