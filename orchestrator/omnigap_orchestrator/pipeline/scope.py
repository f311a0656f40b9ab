"""The scope of one command: its stages, models and conditions, and the services that they need."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from omnigap.errors import OmnigapError
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ModelConfig
from omnigap_orchestrator.fleet import Endpoints, Required
from omnigap_orchestrator.fleet.choose import models_of_fleet
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.plan import ModelSpec
from omnigap_orchestrator.pool import RetryPolicy
from omnigap_orchestrator.preflight import PreflightScope


class Stage(StrEnum):
    """The stages of a run, in the order of the data. `generate` also makes the carriers that it needs."""

    CARRIERS = "carriers"
    GENERATE = "generate"
    TRANSCRIBE = "transcribe"
    JUDGE = "judge"
    SCORE = "score"


ALL_STAGES = tuple(Stage)


class ScopeError(OmnigapError):
    """A flag names something that the run does not plan."""


@dataclass(frozen=True, slots=True)
class RunScope:
    """The part of the plan that a command works on; empty means all.

    The plan itself stays complete, so a scope never changes a denominator.
    """

    models: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    stages: tuple[Stage, ...] = ALL_STAGES

    @property
    def makes_carriers(self) -> bool:
        return Stage.CARRIERS in self.stages or Stage.GENERATE in self.stages

    @property
    def scores_everything(self) -> bool:
        return Stage.SCORE in self.stages and not self.models and not self.conditions

    def covers(self, model: str, condition: Condition) -> bool:
        return (not self.models or model in self.models) and (not self.conditions or condition in self.conditions)

    @property
    def preflight(self) -> PreflightScope:
        """The part of the preflight that applies to this scope."""
        return PreflightScope(
            self.models,
            self.conditions,
            makes_carriers=self.makes_carriers,
            generates=Stage.GENERATE in self.stages,
            transcribes=Stage.TRANSCRIBE in self.stages,
            judges=Stage.JUDGE in self.stages,
            scores=Stage.SCORE in self.stages,
            connects=True,
        )

    @classmethod
    def parse(cls, models: Sequence[str], conditions: Sequence[str], stages: Sequence[str]) -> RunScope:
        """Reads the values of --models, --conditions and --stages.

        Stages are returned in the order of the data, regardless of the order of the flag.

        Raises:
            ScopeError: a condition or stage is unknown, or no stage is given.
        """
        try:
            chosen = tuple(Condition.parse(name) for name in conditions)
        except ValueError as error:
            raise ScopeError(f"--conditions: {error}") from None
        if not stages:
            raise ScopeError(f"--stages is empty: choose from {', '.join(Stage)}")
        for name in stages:
            if name not in list(Stage):
                raise ScopeError(f"--stages: unknown stage {name!r}: choose from {', '.join(Stage)}")
        # Model names are checked later, by `check`: without [[models]], they come from the fleet.
        return cls(tuple(models), chosen, tuple(stage for stage in Stage if stage in stages))

    def without(self, stage: Stage) -> RunScope:
        """This scope without one stage."""
        return replace(self, stages=tuple(other for other in self.stages if other is not stage))

    def check(self, known: Sequence[str]) -> None:
        """Raises ScopeError for a model that is not planned."""
        for model in self.models:
            if model not in known:
                near = difflib.get_close_matches(model.lower(), known, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                planned = ", ".join(known)
                raise ScopeError(f"--models: {model!r} is not a model of this run{hint}: its models are {planned}")


def retry_policy(config: Config) -> RetryPolicy:
    """The retry policy of `[run] max_retries` and `[run] patience_s`."""
    # Retries come after the first attempt.
    return RetryPolicy(max_attempts=config.run.max_retries + 1, patience_s=config.run.patience_s)


def planned_models(config: Config) -> tuple[str, ...]:
    """Names of the planned models: `[[models]]` if there are any, else those that the fleet starts."""
    return tuple(model.name for model in config.models) or models_of_fleet(config)


def required_from_fleet(config: Config, items: Sequence[Item], scope: RunScope) -> Required:
    """The services that this command needs and that have no endpoints in the configuration."""
    conditions = [c for c in config.run.conditions if not scope.conditions or c in scope.conditions]
    generates = Stage.GENERATE in scope.stages
    # Items with their own audio need no TTS service.
    spoken = any(Modality.SPEECH not in item.carriers for item in items)
    models = tuple(model.name for model in config.models if generates and not model.endpoints)
    return Required(
        # None asks the fleet for every model that it has: without [[models]], these are the plan.
        models=models if config.models else None,
        scorer=not config.scorer.endpoints
        and Stage.TRANSCRIBE in scope.stages
        and any(condition.output is Modality.SPEECH for condition in conditions),
        tts=not config.tts.endpoints
        and scope.makes_carriers
        and spoken
        and any(condition.input is Modality.SPEECH for condition in conditions),
        judge=config.judge is not None and not config.judge.endpoints and Stage.JUDGE in scope.stages,
    )


def endpoints_of(config: Config) -> Endpoints | None:
    """The endpoints of the configuration; None if it has none."""
    models = {model.name: model.endpoints for model in config.models if model.endpoints}
    judge = config.judge.endpoints if config.judge is not None else ()
    if not models and not config.scorer.endpoints and not config.tts.endpoints and not judge:
        return None
    return Endpoints(models, config.scorer.endpoints, config.tts.endpoints, judge=judge)


def model_specs(config: Config, endpoints: Endpoints) -> tuple[ModelSpec, ...]:
    """The models of the plan: `[[models]]` if there are any, else the models of the fleet.

    Settings of a model (decoding seed, system prompt, conditions) default to those of `[run]`.
    """
    configured = config.models or tuple(ModelConfig(name=name) for name in endpoints.models)
    return tuple(_model_spec(config, model, endpoints) for model in configured)


def _model_spec(config: Config, model: ModelConfig, endpoints: Endpoints) -> ModelSpec:
    allowed = model.conditions or config.run.conditions
    seed = config.run.seed if model.decoding.seed is None else model.decoding.seed
    return ModelSpec(
        name=model.name,
        endpoints=endpoints.models.get(model.name, ()),
        conditions=tuple(condition for condition in config.run.conditions if condition in allowed),
        architecture=model.architecture,
        system_prompt=config.run.system_prompt if model.system_prompt is None else model.system_prompt,
        decoding=model.decoding.model_copy(update={"seed": seed}),
        voice=model.voice,
    )
