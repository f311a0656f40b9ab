"""The plan of a run, with one cell per model, item, condition and replicate, and the keys of stored results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Control, Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import MetricRules, scoring_presets


@dataclass(frozen=True, slots=True)
class Cell:
    """One model, item, condition and replicate. A control cell is compared with the ordinary cell of the same four."""

    model: str
    item_id: str
    condition: Condition
    replicate: int = 0
    control: Control | None = None

    @property
    def filed_under(self) -> str:
        """The condition column of its failures in the journal."""
        return filed_under(self.condition, self.control)

    def __str__(self) -> str:
        replicate = f" (replicate {self.replicate})" if self.replicate else ""
        return f"{self.model} {self.item_id} {self.filed_under}{replicate}"


def filed_under(condition: Condition, control: Control | None) -> str:
    """The condition name, followed by that of a control: `s2t`, `s2t two-pass`. Both share one journal column."""
    return condition.name if control is None else f"{condition.name} {control.value}"


BLANK_TEXT = "___"
"""The blank text carrier. Servers refuse an empty part, and a word would belong to some language and could be
answered."""

FIRST_PASS = "two-pass, first pass"
"""Key mark of the first pass of a two-pass cell; the second pass has the name of the control."""


def conditions_of(control: Control | None, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions that have cells of a control.

    The two-pass control exists only for spoken or shown questions that are answered as text. The other controls exist
    in all conditions.

    Args:
        control: None for ordinary cells, which exist in all conditions.
        conditions: planned conditions of the model.
    """
    if control is not Control.TWO_PASS:
        return tuple(conditions)
    return tuple(c for c in conditions if c.input is not Modality.TEXT and c.output is Modality.TEXT)


def fits(control: Control | None, condition: Condition, item: Item) -> bool:
    """Whether an item has a cell of a control in a condition of `conditions_of`.

    Only two-pass excludes items: those with their own medium *and* their own text (dots to count, a photo and its
    description). Such a medium does not contain the text, so there is nothing to transcribe.
    """
    return control is not Control.TWO_PASS or not (Modality.TEXT in item.carriers and condition.input in item.carriers)


def typed_carrier(first_pass: str) -> str:
    """Text carrier of a second pass: the output of the first pass, or the blank text if that is empty."""
    return first_pass if first_pass.strip() else BLANK_TEXT


class PlanError(OmnigapError, ValueError):
    """The plan is impossible; the message names the flag or key that fixes it."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of a run, as configured.

    Attributes:
        name: name in reports.
        endpoints: `host:port` of each replica.
        conditions: planned conditions.
        architecture: overrides the type that the service declares.
    """

    name: str
    endpoints: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = CONDITIONS
    architecture: Architecture | None = None
    system_prompt: str = ""
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of a run. The plan is fixed before the first call, and every denominator is computed from it.

    Iteration is item by item, so that an interrupted run has complete items: a gap needs both cells of a pair. Control
    cells are counted and iterated separately, since they run after the ordinary cells.
    """

    items: tuple[Item, ...]
    models: tuple[ModelSpec, ...]
    replicates: int = 1
    controls: tuple[Control, ...] = ()

    def __len__(self) -> int:
        return len(self.items) * self.replicates * sum(len(model.conditions) for model in self.models)

    def __iter__(self) -> Iterator[Cell]:
        # Replicates are outermost: the first replicate of all items is complete before a second one starts.
        for replicate in range(self.replicates):
            for item in self.items:
                for model in self.models:
                    for condition in model.conditions:
                        yield Cell(model.name, item.id, condition, replicate)

    @property
    def control_count(self) -> int:
        """Number of control cells."""
        return sum(
            self.count(condition, control)
            for control in self.controls
            for model in self.models
            for condition in conditions_of(control, model.conditions)
        )

    def count(self, condition: Condition, control: Control | None = None) -> int:
        """Number of cells of one model in a planned condition, or of a control in that condition."""
        return self.replicates * sum(fits(control, condition, item) for item in self.items)

    def control_cells(self) -> Iterator[Cell]:
        """Yields the control cells, item by item."""
        for replicate in range(self.replicates if self.controls else 0):
            for item in self.items:
                for model in self.models:
                    for control in self.controls:
                        for condition in conditions_of(control, model.conditions):
                            if fits(control, condition, item):
                                yield Cell(model.name, item.id, condition, replicate, control)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The planned conditions of all models, in the order of the vocabulary."""
        planned = {condition for model in self.models for condition in model.conditions}
        return tuple(condition for condition in CONDITIONS if condition in planned)


def make_plan(
    items: Sequence[Item], models: Sequence[ModelSpec], replicates: int = 1, controls: Sequence[Control] = ()
) -> Plan:
    """Creates a plan.

    Raises:
        PlanError: there are no items or no models, two models have the same name, or `replicates` is below 1.
    """
    if not items:
        raise PlanError("no items are selected: check --items, --task and --limit")
    if not models:
        raise PlanError("no models are configured: add a [[models]] table, or run without --config")
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PlanError(f"two models have the name {twice!r}: give each [[models]] table its own name")
    if replicates < 1:
        raise PlanError(f"replicates is {replicates}: at least 1 is needed ([run] replicates)")
    return Plan(tuple(items), tuple(models), replicates, tuple(controls))


class AnswerKeys:
    """Keys of one model's answers.

    The model digest and decoding are hashed once, and the prefix is copied for every cell.
    """

    def __init__(self, spec: ModelSpec, model_digest: str) -> None:
        common = {
            "model_digest": model_digest,
            "system_prompt": spec.system_prompt,
            "decoding": spec.decoding.model_dump(),
            "voice": spec.voice,
        }
        self._prefix = hashlib.sha256(digest_of(common).encode())

    def key(self, carrier_sha: str, instruction: str, language: str, output: str, replicate: int, *marks: str) -> str:
        """The key of an answer. Media are identified by the hash of their bytes, never by file name.

        Args:
            marks: distinguish a control cell from its ordinary cell, which has none.
        """
        hasher = self._prefix.copy()
        # Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") have different keys.
        for part in (carrier_sha, instruction, language, output, str(replicate), *marks):
            encoded = part.encode()
            hasher.update(len(encoded).to_bytes(8, "big"))
            hasher.update(encoded)
        return hasher.hexdigest()


def scorer_key(asr_digest: str, decoding: DecodingConfig) -> str:
    """Identifies an ASR scorer by its digest (weights, versions, defaults) and the configured decoding."""
    return digest_of([asr_digest, decoding.model_dump()])


def transcript_key(audio_sha: str, scorer: str, language: str) -> str:
    """Key of a transcript: the audio, the scorer (`scorer_key`) and the requested language."""
    return digest_of([audio_sha, scorer, language])


def score_key(text: str, own_text: str, golds: str, answer_type: str, normaliser: str) -> str:
    """Key of a score: the texts, gold answers and choices (as one digest), the metric and the normaliser version."""
    # The order of the list is part of the format: existing journals have keys in this order.
    return digest_of([text, own_text, golds, answer_type, normaliser])


def metric_rules(config: Config) -> MetricRules:
    """Metric settings of a configuration. The items preset of a benchmark also selects its scorers."""
    of_items = config.items.preset if config.items.preset in scoring_presets() else None
    return MetricRules(config.scoring.preset or of_items, config.scoring.tasks, judged=config.judge is not None)
