"""Options of the `cascade` service, and those that it shares with the `demo` model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from omnigap.channel import check_proxy
from omnigap.vocabulary import Architecture, Condition
from omnigap_services.asr.options import AsrOptions
from omnigap_services.options import Options

DISABLED = "none"
"""Value of `asr`, `ocr` or `tts` that leaves the stage out."""

AUTO = "auto"

# Results of these names would be taken for those of the demo and echo models, whose reports state that they say nothing
# about real models. `cascade` is the demo model's name in runs of 0.1.0.
_SHIPPED = ("demo", "cascade", "echo")


class StageOptions(Options):
    """Options of the stages around a language model.

    Attributes:
        asr: `host:port` of a speech-to-text service; empty: the in-process engine; `none`: no speech input.
        ocr: `host:port` of an image-to-text service; empty: the in-process engine; `none`: no image input.
        tts: `host:port` of a text-to-speech service; empty or `none`: only the language model speaks, if it can.
        name: of this model in reports; empty: chosen by the service.
        architecture: empty: the language model's own if it takes speech and images itself, else cascade.
        wait_s: how long loading waits for each of the services.
        timeout_s: of one call to a service.
        proxy: `http://HOST:PORT` of an HTTP proxy for calls to services that are not on loopback; empty: none.
        asr_checkpoint: of the in-process engine, as the `asr` service's `checkpoint`; empty: the shipped one.
        asr_revision, asr_name, asr_device, asr_compute_type, asr_beam_size, asr_padding_s, asr_force_padding: as the
            `asr` service's.
        asr_threads: as the `asr` service's `cpu_threads`.
        image_side: longer images are shrunk to this many pixels before the in-process OCR searches them for text.
        ocr_threads: more than one shortens a single answer and costs more work in all.
        max_batch_size: clips that the in-process ASR engine transcribes at once.
    """

    asr: str = ""
    ocr: str = ""
    tts: str = ""
    name: str = ""
    architecture: Architecture | None = None
    wait_s: float = Field(default=60.0, ge=0)
    timeout_s: float = Field(default=600.0, gt=0)
    proxy: Annotated[str, AfterValidator(check_proxy)] = ""
    asr_checkpoint: str = ""
    asr_revision: str | None = None
    asr_name: str = Field(default="", max_length=100)
    asr_device: Literal["auto", "cpu", "cuda"] = "auto"
    asr_compute_type: str = "auto"
    asr_beam_size: int = Field(default=5, ge=1, le=20)
    asr_padding_s: float | None = Field(default=None, ge=0, le=60)
    asr_force_padding: bool = False
    asr_threads: int = Field(default=0, ge=0, le=256)
    image_side: int = Field(default=960, ge=64, le=4096)
    ocr_threads: int = Field(default=1, ge=1, le=64)
    max_batch_size: int = Field(default=8, ge=1, le=64)

    def asr_options(self) -> AsrOptions:
        """The options of the in-process ASR engine."""
        return AsrOptions.model_validate(
            {
                "checkpoint": self.asr_checkpoint,
                "revision": self.asr_revision,
                "name": self.asr_name,
                "device": self.asr_device,
                "compute_type": self.asr_compute_type,
                "beam_size": self.asr_beam_size,
                "padding_s": self.asr_padding_s,
                "force_padding": self.asr_force_padding,
                "cpu_threads": self.asr_threads,
                "max_batch_size": self.max_batch_size,
            }
        )


def _as_list(value: object) -> object:
    # `direct = "auto"` is easier to read in TOML than a list of one.
    return (value,) if isinstance(value, str) else value


def _conditions(names: tuple[str, ...]) -> tuple[str, ...]:
    if names != (AUTO,):
        for name in names:
            Condition.parse(name)
    return names


def _not_shipped(name: str) -> str:
    if name in _SHIPPED:
        raise ValueError(f"{name!r} is the name of a model that ships with omnigap: choose another name")
    return name


class CascadeOptions(StageOptions):
    """Options of the `cascade` service.

    Attributes:
        llm: `host:port` of any service that answers text with text.
        direct: conditions in which the language model is given the carrier, and returns the answer, itself; `"auto"`:
            all that it declares. Text in text always is, so `[]` leaves it only that.
        ocr_prompt: sent after the image, for OCR models that need an instruction.
        plain_speech: Markdown is removed from the text that goes to TTS; the answer's own text keeps it.
        name: empty: `cascade-` and the language model's name.
        concurrency: questions in progress at once; 0: the language model's `max_concurrent` and one in-process batch.
    """

    llm: str = Field(min_length=1)
    name: Annotated[str, AfterValidator(_not_shipped)] = ""
    direct: Annotated[tuple[str, ...], BeforeValidator(_as_list), AfterValidator(_conditions)] = (AUTO,)
    ocr_prompt: str = ""
    plain_speech: bool = True
    concurrency: int = Field(default=0, ge=0, le=256)

    def direct_conditions(self) -> frozenset[Condition] | None:
        """The conditions named in `direct`; None for `auto`: all that the language model declares."""
        return None if self.direct == (AUTO,) else frozenset(Condition.parse(name) for name in self.direct)
