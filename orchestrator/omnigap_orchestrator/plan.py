"""The plan, fixed before the first call: every model x item x condition x replicate; and the keys of stored work."""

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
    """Model x item x condition x replicate; a control cell is compared with the ordinary cell of the same four."""

    model: str
    item_id: str
    condition: Condition
    replicate: int = 0
    control: Control | None = None

    @property
    def filed_under(self) -> str:
        """What its failures are filed under."""
        return filed_under(self.condition, self.control)

    def __str__(self) -> str:
        replicate = f" (replicate {self.replicate})" if self.replicate else ""
        return f"{self.model} {self.item_id} {self.filed_under}{replicate}"


def filed_under(condition: Condition, control: Control | None) -> str:
    """The condition's name, and a control's after it: `s2t`, `s2t two-pass`. So both fit one column of the journal."""
    return condition.name if control is None else f"{condition.name} {control.value}"


BLANK_TEXT = "___"
"""The typed carrier that holds nothing: a line to be filled in, since a server refuses an empty part, and since a word
would be a word of some language, and be looked up."""

FIRST_PASS = "two-pass, first pass"
"""Marks the key of a first pass; its second is marked with the control's own name."""


def conditions_of(control: Control | None, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions that have cells of a control.

    A two-pass control has them where a spoken or shown question is answered as text; other controls have them in all.

    Args:
        control: None for the ordinary cells, which all conditions have.
        conditions: those that the model is asked in.
    """
    if control is not Control.TWO_PASS:
        return tuple(conditions)
    return tuple(c for c in conditions if c.input is not Modality.TEXT and c.output is Modality.TEXT)


def fits(control: Control | None, condition: Condition, item: Item) -> bool:
    """Whether an item has a cell of a control in a condition of `conditions_of`.

    All have but one kind in two passes: an item with its own medium *and* its own typed text (dots to count, a photo
    and its description). Its medium does not hold that text, so there is nothing to write down and to answer from.
    """
    return control is not Control.TWO_PASS or not (Modality.TEXT in item.carriers and condition.input in item.carriers)


def typed_carrier(first_pass: str) -> str:
    """What a second pass types: what the first pass wrote, or the blank text where it wrote nothing."""
    return first_pass if first_pass.strip() else BLANK_TEXT


class PlanError(OmnigapError, ValueError):
    """Nothing can be planned; the message says which flag or key fixes it."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of a run, as its user configured it.

    Attributes:
        name: what reports call it.
        endpoints: `host:port` of each replica.
        conditions: what is planned for it.
        architecture: overrides what the service declares.
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
    """All cells of a run. Iterating gives them item by item, so that an interrupted run holds whole items.

    Control cells are counted and iterated apart: they are asked after the cells that they control.
    """

    items: tuple[Item, ...]
    models: tuple[ModelSpec, ...]
    replicates: int = 1
    controls: tuple[Control, ...] = ()

    def __len__(self) -> int:
        return len(self.items) * self.replicates * sum(len(model.conditions) for model in self.models)

    def __iter__(self) -> Iterator[Cell]:
        for replicate in range(self.replicates):
            for item in self.items:
                for model in self.models:
                    for condition in model.conditions:
                        yield Cell(model.name, item.id, condition, replicate)

    @property
    def control_count(self) -> int:
        """How many control cells there are."""
        return sum(
            self.count(condition, control)
            for control in self.controls
            for model in self.models
            for condition in conditions_of(control, model.conditions)
        )

    def count(self, condition: Condition, control: Control | None = None) -> int:
        """How many cells one model has in a condition that it is asked in, or of a control in it."""
        return self.replicates * sum(fits(control, condition, item) for item in self.items)

    def control_cells(self) -> Iterator[Cell]:
        """The control cells, item by item as well."""
        for replicate in range(self.replicates if self.controls else 0):
            for item in self.items:
                for model in self.models:
                    for control in self.controls:
                        for condition in conditions_of(control, model.conditions):
                            if fits(control, condition, item):
                                yield Cell(model.name, item.id, condition, replicate, control)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that at least one model is asked in, in the order of the vocabulary."""
        planned = {condition for model in self.models for condition in model.conditions}
        return tuple(condition for condition in CONDITIONS if condition in planned)


def make_plan(
    items: Sequence[Item], models: Sequence[ModelSpec], replicates: int = 1, controls: Sequence[Control] = ()
) -> Plan:
    """Checks that a plan can be made of these.

    Raises:
        PlanError: for no items, no models, two models of one name, or less than one replicate.
    """
    if not items:
        raise PlanError("no items are selected: check --items, --task and --limit")
    if not models:
        raise PlanError("no models are configured: add a [[models]] table, or run without --config")
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PlanError(f"two models are called {twice!r}: give each [[models]] table its own name")
    if replicates < 1:
        raise PlanError(f"replicates is {replicates}: at least 1 is needed ([run] replicates)")
    return Plan(tuple(items), tuple(models), replicates, tuple(controls))


class AnswerKeys:
    """Keys of one model's answers: its digest and decoding hashed once, the rest a cell at a time."""

    def __init__(self, spec: ModelSpec, model_digest: str) -> None:
        common = {
            "model_digest": model_digest,
            "system_prompt": spec.system_prompt,
            "decoding": spec.decoding.model_dump(),
            "voice": spec.voice,
        }
        self._prefix = hashlib.sha256(digest_of(common).encode())

    def key(self, carrier_sha: str, instruction: str, language: str, output: str, replicate: int, *marks: str) -> str:
        """The answer's key; a medium enters by the hash of its bytes, never by its name.

        Args:
            marks: what sets a control cell apart from the cell that it controls; none for the latter.
        """
        hasher = self._prefix.copy()
        # Lengths before texts: no two different lists of parts can run into the same bytes.
        for part in (carrier_sha, instruction, language, output, str(replicate), *marks):
            encoded = part.encode()
            hasher.update(len(encoded).to_bytes(8, "big"))
            hasher.update(encoded)
        return hasher.hexdigest()


def scorer_key(asr_digest: str, decoding: DecodingConfig) -> str:
    """A scorer as it is asked: its digest (weights, versions, defaults) and the decoding of the configuration."""
    return digest_of([asr_digest, decoding.model_dump()])


def transcript_key(audio_sha: str, scorer: str, language: str) -> str:
    """A transcript depends on the audio, the scorer as it is asked (`scorer_key`), and the language it is told."""
    return digest_of([audio_sha, scorer, language])


def score_key(text: str, own_text: str, golds: str, answer_type: str, normaliser: str) -> str:
    """A score depends on the texts, the gold answers and choices (as one digest), the metric and the normaliser."""
    return digest_of([text, own_text, golds, answer_type, normaliser])


def metric_rules(config: Config) -> MetricRules:
    """What a configuration says of metrics; items that a preset reads bring that benchmark's scorers with them."""
    of_items = config.items.preset if config.items.preset in scoring_presets() else None
    return MetricRules(config.scoring.preset or of_items, config.scoring.tasks, judged=config.judge is not None)
