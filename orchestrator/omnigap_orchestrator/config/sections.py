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
    """Each once, however they are listed: the order of a plan does not depend on it."""
    return tuple(control for control in Control if control in controls)


Controls = Annotated[
    tuple[Annotated[Control, Field(strict=False)], ...],
    BeforeValidator(as_list),
    Field(strict=False),
    AfterValidator(_in_order),
]


class RunConfig(StrictModel):
    """What is asked, and where it is kept.

    Attributes:
        dir: the run's folder; None: `runs/NAME` after the configuration file's name.
        seed: sent to models whose own decoding names none; resampling has `analysis.bootstrap_seed`.
        replicates: answers per model, item and condition.
        conditions: which of the six; a model's own list narrows it further.
        controls: control cells beside the planned ones; docs/controls.md tells what each is for.
        asr_prompt: typed beside a spoken question in the first pass of a two-pass control.
        ocr_prompt: typed beside a shown question there.
        system_prompt: sent in all conditions alike; a model's own takes its place.
        request_timeout_s: of one call, from sending to the last byte.
        max_retries: further tries after the first, of faults that can pass.
        patience_s: how long a service may be away before its open cells are left pending.
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
        proxy: `http://HOST:PORT` of an HTTP proxy that endpoints are called through, but for loopback ones; empty:
            directly, whatever the environment says.
    """

    proxy: Annotated[str, AfterValidator(check_proxy)] = ""


class ReportConfig(StrictModel):
    """How the report is written.

    Attributes:
        embed_mb: megabytes of media inside report.html; what is beyond is linked.
        single_file: all media inside, however large.
    """

    embed_mb: float = Field(default=50.0, ge=0, allow_inf_nan=False)
    single_file: bool = False


FONT_FILE_SUFFIXES = (".ttf", ".otf", ".ttc")


def _font(name: str, info: ValidationInfo) -> str:
    """A font's name, or the path of its file as seen from the configuration file's folder."""
    if not name.lower().endswith(FONT_FILE_SUFFIXES):
        return name
    path = resolve(Path(name), info)
    if FOLDER in (info.context or {}) and not path.is_file():
        raise ValueError(f"{name!r} is no file (looked at {path}): write the path of a TrueType or OpenType font")
    return str(path)


def _colour(text: str) -> str:
    try:
        ImageColor.getrgb(text)
    except ValueError:
        raise ValueError(f"{text!r} is no colour: write a name like 'black' or a code like '#1a1a1a'") from None
    return text


Size = Annotated[int, Field(ge=6, le=400)]
Width = Annotated[int, Field(ge=64, le=8_192)]
Colour = Annotated[str, AfterValidator(_colour)]


class ImageConfig(StrictModel):
    """How text is drawn. Each of font, size, colour, background and width may be a list: replicates cycle through all
    combinations, fonts changing fastest.

    Attributes:
        font: `DejaVu Sans`, `DejaVu Serif`, `DejaVu Sans Mono` (each also with ` Bold`), or a font file.
        size: of the letters, in pixels.
        width: of the image, in pixels; its height follows the text.
        margin: on all four sides, in pixels.
        line_spacing: from one line to the next, in multiples of the font's own line height.
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
                    raise ValueError(f"colour {colour!r} on background {background!r} can't be seen: change one")
        for width in self.width:
            if width - 2 * self.margin < 2 * max(self.size):
                raise ValueError(
                    f"width {width} less twice the margin {self.margin} leaves no room for letters of {max(self.size)} "
                    "pixels: make the width larger, or the margin or the size smaller"
                )
        return self


class SpeechConfig(StrictModel):
    """How text is read aloud. Replicates cycle through every voice at every rate, voices changing fastest.

    Attributes:
        voices: names that the TTS service knows; empty: its default voice.
        words_per_minute: None: the service's own rate.
    """

    voices: Annotated[
        tuple[Text, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
    ] = ()
    words_per_minute: Annotated[
        tuple[Annotated[float, Field(ge=40, le=600)], ...], BeforeValidator(as_list), Field(strict=False)
    ] = ()


class CarriersConfig(StrictModel):
    """What the rendered carriers look and sound like."""

    image: ImageConfig = ImageConfig()
    speech: SpeechConfig = SpeechConfig()


RUBRICS = ("helpful", "graded", "agrees")
"""The shipped ones; a test holds them and the files together."""
_FILES = (".toml", ".txt", ".md")


def _rubric(name: str, info: ValidationInfo) -> str:
    if name in RUBRICS:
        return name
    if Path(name).suffix.lower() not in _FILES:
        raise ValueError(f"{unknown_key(name, RUBRICS, 'rubric')}; or give a file that ends in {', '.join(_FILES)}")
    return str(resolve(Path(name), info).absolute())


RubricName = Annotated[str, Field(min_length=1), AfterValidator(_rubric)]


class JudgeConfig(StrictModel):
    """The judge of open answers; without this section they are scored by token F1.

    Attributes:
        endpoints: of a service that answers text with text; empty: the fleet's service of the role `judge`.
        rubric: for items without gold answers: the name of a shipped one, or a file.
        reference_rubric: for items with gold answers.
        votes: verdicts asked for each answer, with different seeds; averaged.
        decoding: temperature 0 where none is named.
    """

    endpoints: EndpointList = ()
    rubric: RubricName = "helpful"
    reference_rubric: RubricName = "graded"
    votes: int = Field(default=1, ge=1, le=9)
    decoding: DecodingConfig = DecodingConfig(temperature=0.0)

    @field_validator("decoding")
    @classmethod
    def _cold_unless_asked(cls, decoding: DecodingConfig) -> DecodingConfig:
        return decoding if decoding.temperature is not None else decoding.model_copy(update={"temperature": 0.0})


class ScoringConfig(StrictModel):
    """Which metric scores an item that names none.

    Attributes:
        preset: a benchmark whose own scorers take its subsets, told by the items' tasks: `voicebench`.
        tasks: task -> metric; goes before the preset.
    """

    preset: str | None = None
    tasks: dict[str, str] = Field(default_factory=dict)

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str | None) -> str | None:
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
        alpha: of intervals and tests: 0.05 gives 95 % intervals.
        margin: the gap, as a share of the score, below which two conditions count as equal (TOST).
        target_gap: the smallest gap that matters, as a share of the score: what sample sizes are computed for.
        power: with which a run should be able to show it.
        chance: the score that guessing gets, where it is the same for every item.
        allow_missing: computes a gap also where more than 2 % of its planned pairs lack an answer, labelled so.
        bootstrap_seed: of the resampled intervals.
    """

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    margin: float = Field(default=0.02, gt=0, lt=1)
    target_gap: float = Field(default=0.03, gt=0, lt=1)
    power: float = Field(default=0.8, gt=0, lt=1)
    chance: float | None = Field(default=None, ge=0, lt=1)
    allow_missing: bool = False
    bootstrap_seed: int = Field(default=0, ge=0, lt=2**31)
