"""The section `[routing]` of the configuration, and the options that the analysis derives from it."""

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
        raise ValueError(f"{value!r} is not a modality: use {', '.join(Modality)}")
    return Modality(value)


def _output_modalities(modalities: tuple[Modality, ...]) -> tuple[Modality, ...]:
    if Modality.IMAGE in modalities:
        raise ValueError("'image' is not an output modality: use text, speech")
    return modalities


Modalities = Annotated[
    tuple[Annotated[Modality, BeforeValidator(_modality)], ...],
    BeforeValidator(as_list),
    Field(strict=False),
    AfterValidator(without_repeats),
]


class RoutingConfig(StrictModel):
    """A product's constraints and the cross-validation of policies; an empty constraint allows everything.

    Attributes:
        inputs: input modalities that the product offers.
        outputs: output modalities that the product offers.
        max_p95_latency_s: upper bound of the 95th percentile of the latency, in seconds.
        folds: number of folds of the cross-validation.
        repeats: number of random splits into folds, whose results are averaged.
    """

    inputs: Modalities = ()
    outputs: Annotated[Modalities, AfterValidator(_output_modalities)] = ()
    max_p95_latency_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    folds: int = Field(default=5, ge=2, le=100)
    repeats: int = Field(default=10, ge=1, le=1_000)


@dataclass(frozen=True, slots=True)
class Constraints:
    """Constraints on a condition, with modalities as letters (t, s, i); an empty set allows all."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    # Seconds.
    max_p95_latency_s: float = math.inf


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """Constraints, and `repeats` random splits of the clusters into `folds` folds.

    The splits are seeded, and do not depend on the names of items and clusters.
    """

    constraints: Constraints = field(default_factory=Constraints)
    folds: int = 5
    repeats: int = 10

    def __post_init__(self) -> None:
        if self.folds < 2 or self.repeats < 1:
            raise ValueError(f"folds={self.folds} must be at least 2 and repeats={self.repeats} at least 1")


def routing_options(section: RoutingConfig) -> RoutingOptions:
    """The options of the analysis from the configuration."""
    constraints = Constraints(
        inputs=frozenset(modality.letter for modality in section.inputs),
        outputs=frozenset(modality.letter for modality in section.outputs),
        max_p95_latency_s=math.inf if section.max_p95_latency_s is None else section.max_p95_latency_s,
    )
    return RoutingOptions(constraints, section.folds, section.repeats)
