"""The sections of a configuration: [run], [carriers], [judge], [scoring], [report] and [analysis]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from PIL import ImageColor
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from omnigap.channel import check_proxy
from omnigap.vocabulary import Control
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.validation import (
    ALL_CONDITIONS,
    FOLDER,
    Conditions,
    EndpointList,
    FilePath,
    StrictModel,
    Text,
    as_list,
    resolve,
    unknown_key,
    without_repeats,
)

ASR_PROMPT = "Transcribe the recording word for word. Write only what is said, and do not answer it."
OCR_PROMPT = "Transcribe the text in the image word for word. Write only what is written there, and do not answer it."


def _in_order(controls: tuple[Control, ...]) -> tuple[Control, ...]:
    """Removes duplicates and sorts: the order of a plan does not depend on the order in the file."""
    return tuple(control for control in Control if control in controls)


Controls = Annotated[
    tuple[Annotated[Control, Field(strict=False)], ...],
    BeforeValidator(as_list),
    Field(strict=False),
    AfterValidator(_in_order),
]


class RunConfig(StrictModel):
    """The cells of a run, and how they are requested.

    Attributes:
        dir: folder of the run. None: `runs/NAME`, where NAME is that of the configuration file.
        seed: decoding seed of models that set none; resampling uses `analysis.bootstrap_seed`.
        replicates: answers per model, item and condition.
        conditions: the conditions of the plan; a model can restrict them further.
        controls: control cells in addition to the plan; see docs/controls.md.
        asr_prompt: text sent with a speech question in the first pass of a two-pass control.
        ocr_prompt: text sent with an image question in the first pass of a two-pass control.
        system_prompt: sent in all conditions; overridden by a model's own.
        request_timeout_s: seconds of one call, from sending the request to the last byte of the answer; a service that
            needs more time gets more.
        max_retries: attempts after the first one, for faults that may be temporary.
        patience_s: seconds for which a service may be unavailable, or refuse every call, before its open cells are left
            pending; also at the start of a command.
    """

    dir: FilePath | None = None
    seed: int = Field(default=0, ge=0, lt=2**31)
    replicates: int = Field(default=1, ge=1, le=1_000)
    conditions: Conditions = ALL_CONDITIONS
    controls: Controls = ()
    asr_prompt: Text = ASR_PROMPT
    ocr_prompt: Text = OCR_PROMPT
    system_prompt: str = ""
    request_timeout_s: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    max_retries: int = Field(default=3, ge=0, le=100)
    patience_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)


class NetworkConfig(StrictModel):
    """How services are reached.

    Attributes:
        proxy: `http://HOST:PORT` of an HTTP proxy for all endpoints except loopback ones. Empty: none, even if the
            environment sets `http_proxy`.
    """

    proxy: Annotated[str, AfterValidator(check_proxy)] = ""


class ReportConfig(StrictModel):
    """How the report is written.

    Attributes:
        embed_mb: megabytes of media embedded in report.html; further media are linked.
        single_file: embeds all media, regardless of their size.
    """

    embed_mb: float = Field(default=50.0, ge=0, allow_inf_nan=False)
    single_file: bool = False


FONT_FILE_SUFFIXES = (".ttf", ".otf", ".ttc")


def _font(name: str, info: ValidationInfo) -> str:
    """A font name, or the path of a font file relative to the folder of the configuration file."""
    if not name.lower().endswith(FONT_FILE_SUFFIXES):
        return name
    path = resolve(Path(name), info)
    if FOLDER in (info.context or {}) and not path.is_file():
        raise ValueError(f"{name!r} does not exist (looked for {path}): set the path of a TrueType or OpenType font")
    return str(path)


def _colour(text: str) -> str:
    try:
        ImageColor.getrgb(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a colour: use a name like 'black' or a code like '#1a1a1a'") from None
    return text


Size = Annotated[int, Field(ge=6, le=400)]
Width = Annotated[int, Field(ge=64, le=8_192)]
Colour = Annotated[str, AfterValidator(_colour)]


class ImageConfig(StrictModel):
    """How questions are drawn as images.

    Font, size, colour, background and width may be lists: replicates cycle through all combinations, fonts changing
    fastest.

    Attributes:
        font: `DejaVu Sans`, `DejaVu Serif`, `DejaVu Sans Mono` (each also with ` Bold`), or a font file.
        size: font size in pixels.
        width: width of the image in pixels; the height follows from the text.
        margin: margin on all four sides in pixels.
        line_spacing: distance of lines as a multiple of the font's line height.
    """

    font: Annotated[
        tuple[Annotated[str, Field(min_length=1), AfterValidator(_font)], ...],
        BeforeValidator(as_list),
        Field(strict=False, min_length=1),
        AfterValidator(without_repeats),
    ] = ("DejaVu Sans",)
    size: Annotated[tuple[Size, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = (28,)
    colour: Annotated[tuple[Colour, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = ("#1a1a1a",)
    background: Annotated[tuple[Colour, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = ("white",)
    width: Annotated[tuple[Width, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = (768,)
    margin: int = Field(default=36, ge=0, le=2_000)
    line_spacing: float = Field(default=1.25, ge=0.8, le=4)

    @model_validator(mode="after")
    def _can_be_seen(self) -> Self:
        for colour in self.colour:
            for background in self.background:
                if ImageColor.getrgb(colour)[:3] == ImageColor.getrgb(background)[:3]:
                    raise ValueError(f"colour {colour!r} is invisible on background {background!r}: change one")
        for width in self.width:
            # Two letters must fit into a line, else text could not be broken into lines.
            if width - 2 * self.margin < 2 * max(self.size):
                raise ValueError(
                    f"width {width} minus twice the margin {self.margin} leaves no room for size {max(self.size)}: "
                    "increase width, or decrease margin or size"
                )
        return self


class SpeechConfig(StrictModel):
    """How questions are synthesised as speech.

    Replicates cycle through all combinations of voice and rate, voices changing fastest.

    Attributes:
        voices: voice names of the TTS service. Empty: its default voice.
        words_per_minute: speaking rates. Empty: the default rate of the service.
    """

    voices: Annotated[
        tuple[Text, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
    ] = ()
    words_per_minute: Annotated[
        tuple[Annotated[float, Field(ge=40, le=600)], ...], BeforeValidator(as_list), Field(strict=False)
    ] = ()


class CarriersConfig(StrictModel):
    """How carriers are rendered."""

    image: ImageConfig = ImageConfig()
    speech: SpeechConfig = SpeechConfig()


RUBRICS = ("helpful", "graded", "agrees")
"""The shipped rubrics; a test compares them with the files."""
_FILES = (".toml", ".txt", ".md")


def _rubric(name: str, info: ValidationInfo) -> str:
    if name in RUBRICS:
        return name
    if Path(name).suffix.lower() not in _FILES:
        raise ValueError(f"{unknown_key(name, RUBRICS, 'rubric')}; or set a file ending in {', '.join(_FILES)}")
    return str(resolve(Path(name), info).absolute())


RubricName = Annotated[str, Field(min_length=1), AfterValidator(_rubric)]


class JudgeConfig(StrictModel):
    """The LLM judge of open answers; without this section they are scored by token F1.

    Attributes:
        endpoints: `host:port` of a service that supports t2t. Empty: the service of the fleet with the role `judge`.
        rubric: name of a shipped rubric or a file, for items without gold answers.
        reference_rubric: as `rubric`, for items with gold answers.
        votes: verdicts per answer, requested with different seeds and averaged.
        decoding: the temperature is 0 unless set.
    """

    endpoints: EndpointList = ()
    rubric: RubricName = "helpful"
    reference_rubric: RubricName = "graded"
    votes: int = Field(default=1, ge=1, le=9)
    decoding: DecodingConfig = DecodingConfig(temperature=0.0)

    @field_validator("decoding")
    @classmethod
    def _temperature_zero_unless_set(cls, decoding: DecodingConfig) -> DecodingConfig:
        return decoding if decoding.temperature is not None else decoding.model_copy(update={"temperature": 0.0})


class ScoringConfig(StrictModel):
    """The metrics of items without their own metric.

    Attributes:
        preset: benchmark whose own metrics score its subsets, by the tasks of the items: `voicebench`.
        tasks: task -> metric; overrides the preset.
    """

    preset: str | None = None
    tasks: dict[str, str] = Field(default_factory=dict)

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str | None) -> str | None:
        # Imported here: the scoring package imports this one.
        from omnigap_orchestrator.scoring.score import scoring_presets

        if name is not None and name not in scoring_presets():
            raise ValueError(unknown_key(name, scoring_presets(), "preset"))
        return name

    @field_validator("tasks")
    @classmethod
    def _known_metrics(cls, tasks: dict[str, str]) -> dict[str, str]:
        from omnigap_orchestrator.scoring.score import metric_names

        for task, metric in tasks.items():
            if metric not in metric_names():
                raise ValueError(f"{task}: {unknown_key(metric, metric_names(), 'metric')}")
        return tasks


class AnalysisConfig(StrictModel):
    """How gaps are computed.

    Attributes:
        alpha: significance level of intervals and tests: 0.05 gives 95 % intervals.
        margin: equivalence margin of TOST, as a share of the score.
        target_gap: smallest relevant gap, as a share of the score; sample sizes are computed for it.
        power: power with which a run should detect `target_gap`.
        chance: score of guessing, if it is the same for every item.
        allow_missing: also compute gaps of which more than 2 % of the planned pairs lack an answer; they are labelled.
        bootstrap_seed: seed of the bootstrap.
    """

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    margin: float = Field(default=0.02, gt=0, lt=1)
    target_gap: float = Field(default=0.03, gt=0, lt=1)
    power: float = Field(default=0.8, gt=0, lt=1)
    chance: float | None = Field(default=None, ge=0, lt=1)
    allow_missing: bool = False
    bootstrap_seed: int = Field(default=0, ge=0, lt=2**31)
