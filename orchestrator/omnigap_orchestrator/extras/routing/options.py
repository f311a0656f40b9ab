"""`[routing]` of the configuration, and the options that the analysis takes from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from omnigap.vocabulary import Modality
from omnigap_orchestrator.validation import StrictModel, as_list, without_repeats


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


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a user demands of a route: empty means anything goes. Modalities by their letters: t, s, i."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    # Seconds.
    max_p95_latency_s: float = math.inf


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """Constraints, and how the held-out scores are made: `repeats` random splits of the clusters into `folds`.

    The splits are seeded, and do not depend on what items and clusters are called.
    """

    constraints: Constraints = field(default_factory=Constraints)
    folds: int = 5
    repeats: int = 10

    def __post_init__(self) -> None:
        if self.folds < 2 or self.repeats < 1:
            raise ValueError(f"folds={self.folds} and repeats={self.repeats}: take at least 2 and 1")


def routing_options(section: RoutingConfig) -> RoutingOptions:
    """The section as the analysis takes it."""
    constraints = Constraints(
        inputs=frozenset(modality.letter for modality in section.inputs),
        outputs=frozenset(modality.letter for modality in section.outputs),
        max_p95_latency_s=math.inf if section.max_p95_latency_s is None else section.max_p95_latency_s,
    )
    return RoutingOptions(constraints, section.folds, section.repeats)
