"""The whole configuration, and what must hold between its sections."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from omnigap_orchestrator.config.analysis import AnalysisConfig
from omnigap_orchestrator.config.carriers import CarriersConfig
from omnigap_orchestrator.config.items import ItemsConfig
from omnigap_orchestrator.config.judge import JudgeConfig, ScoringConfig
from omnigap_orchestrator.config.sections import NetworkConfig, ReportConfig, RunConfig
from omnigap_orchestrator.config.services import (
    FleetConfig,
    FleetKind,
    ModelConfig,
    ReaderConfig,
    ScorerConfig,
    TtsConfig,
)
from omnigap_orchestrator.validation import StrictModel

RECALLED = "recalled"
"""Key of the validation context: the configuration is a run's own record, whose models the fleet may have named."""


def _unique_names(models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
    first: dict[str, int] = {}
    for index, model in enumerate(models):
        # Names become keys of tables and parts of file names, also on file systems that ignore case.
        if (before := first.setdefault(model.name.lower(), index)) != index:
            raise ValueError(f"models[{before}] and models[{index}] are both named {model.name!r}: rename one")
    return models


class Config(StrictModel):
    """One run, whole. Every section has defaults: an empty file is the embedded run over the built-in items."""

    run: RunConfig = RunConfig()
    items: ItemsConfig = ItemsConfig()
    carriers: CarriersConfig = CarriersConfig()
    models: Annotated[tuple[ModelConfig, ...], Field(strict=False), AfterValidator(_unique_names)] = ()
    scorer: ScorerConfig = ScorerConfig()
    second_scorer: ScorerConfig | None = None
    tts: TtsConfig = TtsConfig()
    reader: ReaderConfig = ReaderConfig()
    judge: JudgeConfig | None = None
    scoring: ScoringConfig = ScoringConfig()
    fleet: FleetConfig = FleetConfig()
    network: NetworkConfig = NetworkConfig()
    report: ReportConfig = ReportConfig()
    analysis: AnalysisConfig = AnalysisConfig()

    @model_validator(mode="after")
    def _static_models_have_endpoints(self, info: ValidationInfo) -> Config:
        if self.fleet.kind is not FleetKind.STATIC or RECALLED in (info.context or {}):
            return self
        for index, model in enumerate(self.models):
            if not model.endpoints:
                raise ValueError(
                    f"models[{index}].endpoints: {model.name!r} has none, and fleet.kind is 'static': "
                    'write endpoints = ["host:port"], or fleet.kind = "auto"'
                )
        return self
