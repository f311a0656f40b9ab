"""The section `[analysis]`: how gaps are computed, how large a gap matters, and what a product may route to."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from omnigap.vocabulary import Modality
from omnigap_orchestrator.config.fields import as_list, without_repeats
from omnigap_orchestrator.validation import StrictModel


def _modality(value: object) -> object:
    if not isinstance(value, str) or isinstance(value, Modality):
        return value
    if value not in tuple(Modality):
        raise ValueError(f"{value!r} is no modality: one of {', '.join(Modality)}")
    return Modality(value)


def _can_be_answered_in(modalities: tuple[Modality, ...]) -> tuple[Modality, ...]:
    if Modality.IMAGE in modalities:
        raise ValueError("'image' is no form of an answer: one of text, speech")
    return modalities


Modalities = Annotated[
    tuple[Annotated[Modality, BeforeValidator(_modality)], ...],
    BeforeValidator(as_list),
    Field(strict=False),
    AfterValidator(without_repeats),
]


class RoutingConfig(StrictModel):
    """What a product demands of the form it routes to; left out, anything goes.

    Attributes:
        inputs: forms that a question can come in.
        outputs: forms that an answer may have.
        max_p95_latency_s: 95 of 100 answers must be there within it.
        folds: parts that the items are split into, to judge a policy on what it was not chosen on.
        repeats: random splits that the judgement is the mean of.
    """

    inputs: Modalities = ()
    outputs: Annotated[Modalities, AfterValidator(_can_be_answered_in)] = ()
    max_p95_latency_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    folds: int = Field(default=5, ge=2, le=100)
    repeats: int = Field(default=10, ge=1, le=1_000)


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
    routing: RoutingConfig = RoutingConfig()
