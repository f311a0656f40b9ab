"""The planned cells of a run: for each its item, its carrier, its key, and what its model can do; control cells too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import REFERENCE, Condition, Control, Modality, Support
from omnigap_orchestrator.carriers.carrier_set import Carrier, CarrierSet
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import AnswerRow, Records, TranscriptRow
from omnigap_orchestrator.judge import JudgeSetup, Rubric, judge_setup
from omnigap_orchestrator.plan import (
    FIRST_PASS,
    AnswerKeys,
    Cell,
    ModelSpec,
    Plan,
    conditions_of,
    metric_rules,
    scorer_key,
    transcript_key,
    typed_carrier,
)
from omnigap_orchestrator.pool import support_in
from omnigap_orchestrator.scoring import JUDGE, metric_of

SECOND_SCORER = "second_scorer"
"""Name of the second scorer's card in the journal, beside the first's."""
_MODEL = "model:"


@dataclass(frozen=True, slots=True)
class Cards:
    """What each service of a run said of itself when it was last seen."""

    models: Mapping[str, pb.DescribeResponse]
    scorer: pb.DescribeResponse | None = None
    tts: pb.DescribeResponse | None = None
    judge: pb.DescribeResponse | None = None
    second_scorer: pb.DescribeResponse | None = None

    @classmethod
    def last_seen(cls, records: Records) -> Cards:
        """The cards that the journal holds."""
        cards = {place: pb.DescribeResponse.FromString(row.describe) for place, row in records.services.items()}
        return cls(
            models={name: card for (role, name), card in cards.items() if role == Role.MODEL},
            scorer=cards.get((Role.SCORER, Role.SCORER)),
            tts=cards.get((Role.TTS, Role.TTS)),
            judge=cards.get((Role.JUDGE, Role.JUDGE)),
            second_scorer=cards.get((Role.SCORER, SECOND_SCORER)),
        )

    @classmethod
    def of_digests(cls, digests: Mapping[str, str]) -> Cards:
        """Cards that hold nothing but a digest, which is what keys follow from.

        Args:
            digests: as `digests` gives them.
        """
        cards = {name: pb.DescribeResponse(digest=digest) for name, digest in digests.items()}
        models = {name.removeprefix(_MODEL): card for name, card in cards.items() if name.startswith(_MODEL)}
        return cls(models, cards.get(Role.SCORER), cards.get(Role.TTS), cards.get(Role.JUDGE))

    def digests(self) -> dict[str, str]:
        """The digests of the services whose work is kept by digest; `model:NAME` for a model."""
        models = {f"{_MODEL}{name}": card for name, card in self.models.items()}
        helpers = {Role.SCORER: self.scorer, Role.TTS: self.tts, Role.JUDGE: self.judge}
        cards = {**models, **{role.value: card for role, card in helpers.items()}}
        return {name: card.digest for name, card in cards.items() if card is not None}

    @property
    def tts_digest(self) -> str:
        """Empty where no voice was ever seen."""
        return self.tts.digest if self.tts is not None else ""


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of the plan with the card that it showed when it was last seen; None where it was never seen."""

    spec: ModelSpec
    card: pb.DescribeResponse | None
    keys: AnswerKeys | None

    @classmethod
    def of(cls, spec: ModelSpec, card: pb.DescribeResponse | None) -> PlannedModel:
        return cls(spec, card, AnswerKeys(spec, card.digest) if card is not None else None)

    @property
    def architecture(self) -> str:
        if self.spec.architecture is not None:
            return self.spec.architecture.value
        if self.card is None or not self.card.architecture:
            return ""
        return pb.Architecture.Name(self.card.architecture).removeprefix("ARCHITECTURE_").lower()

    def key(self, cell: Cell, carrier: Carrier | None, instruction: str, language: str, *marks: str) -> str | None:
        """The key of an answer; None while the model's digest or the carrier is unknown."""
        if self.keys is None or carrier is None:
            return None
        return self.keys.key(carrier.sha, instruction, language, cell.condition.output.value, cell.replicate, *marks)

    def in_first_pass(self) -> PlannedModel:
        """The model as it is asked in a first pass: without a limit of length that was chosen for answers."""
        decoding = self.spec.decoding.model_copy(update={"max_new_tokens": None})
        return PlannedModel.of(replace(self.spec, decoding=decoding), self.card)


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One planned cell with all that its question is made of.

    Attributes:
        carrier: None where it could not be made yet.
        instruction: typed beside the carrier; may be empty.
        key: of its answer; None while the model's digest or the carrier is unknown.
        support: None while the model was never seen.
        first_pass: what the model heard or read, in the second pass of a two-pass control; None in all other cells.
        metric: that scores its answer.
        judge: digest of judge and rubric of a judged answer; None for other metrics, and while no judge was seen.
    """

    cell: Cell
    item: Item
    model: PlannedModel
    carrier: Carrier | None
    instruction: str
    key: str | None
    support: Support | None
    support_reason: str
    first_pass: str | None = None
    metric: str = ""
    judge: str | None = None

    @property
    def is_judged(self) -> bool:
        return self.metric == JUDGE

    @property
    def is_spoken(self) -> bool:
        """Whether speech was asked for."""
        return self.cell.condition.output is Modality.SPEECH

    @property
    def is_first_pass(self) -> bool:
        """Whether its answer is what a second pass asks about, and not yet the answer of the cell."""
        return self.cell.control is Control.TWO_PASS and self.first_pass is None

    def needs_transcript(self, answer: AnswerRow, transcript: TranscriptRow | None) -> bool:
        """Whether the scorer has not transcribed a spoken answer that has audio."""
        return transcript is None and self.is_spoken and answer.media_sha is not None

    def keyed(self, *marks: str) -> PlannedCell:
        """The same cell with the key of what it asks now; `marks` set a control cell apart."""
        key = self.model.key(self.cell, self.carrier, self.instruction, self.item.language, *marks)
        return replace(self, key=key)


class PlannedCells:
    """Joins plan, carriers and cards. Cells are made as they are read: 60,000 of them need no 60,000 objects."""

    def __init__(
        self,
        config: Config,
        plan: Plan,
        carriers: CarrierSet,
        cards: Cards,
        rubrics: tuple[Rubric, Rubric] | None = None,
    ) -> None:
        """`rubrics` are those for items without and with gold answers, where a judge is configured."""
        self.config = config
        self.plan = plan
        self.carriers = carriers
        self.cards = cards
        self._items = {item.id: item for item in plan.items}
        self.models = {spec.name: PlannedModel.of(spec, cards.models.get(spec.name)) for spec in plan.models}
        self._in_first_pass = {name: model.in_first_pass() for name, model in self.models.items()}
        rules = metric_rules(config)
        self.metrics = {item.id: metric_of(item, rules) for item in plan.items}
        self.setup: JudgeSetup | None = None
        if config.judge is not None and cards.judge is not None and rubrics is not None:
            self.setup = judge_setup(config.judge, cards.judge.digest, rubrics)
        self._scorer = scorer_key(cards.scorer.digest if cards.scorer is not None else "", config.scorer.decoding)
        self._second: str | None = None
        self.meet_second_scorer(cards.second_scorer)

    def meet_second_scorer(self, card: pb.DescribeResponse | None) -> None:
        """Takes the card of the second scorer that answers now: the keys of its transcripts follow from it."""
        if self.config.second_scorer is not None and card is not None:
            self.cards = replace(self.cards, second_scorer=card)
            self._second = scorer_key(card.digest, self.config.second_scorer.decoding)

    def __iter__(self) -> Iterator[PlannedCell]:
        """The cells of the results, in plan order; control cells are read from `controls`."""
        return map(self.planned, self.plan)

    def planned(self, cell: Cell) -> PlannedCell:
        """A cell of the plan that is not a control cell."""
        item, model = self._items[cell.item_id], self.models[cell.model]
        support, reason = (None, "") if model.card is None else support_in(model.card, cell.condition)
        carrier = self.carriers.get(item.id, cell.condition.input, cell.replicate)
        metric = self.metrics[item.id]
        return PlannedCell(
            cell,
            item,
            model,
            carrier,
            item.instruction,
            model.key(cell, carrier, item.instruction, item.language),
            support,
            reason,
            metric=metric,
            judge=self.setup.key(item) if metric == JUDGE and self.setup is not None else None,
        )

    def controls(self) -> Iterator[PlannedCell]:
        """The control cells, in plan order; those of a two-pass control in their first pass."""
        for cell in self.plan.control_cells():
            direct = replace(self.planned(replace(cell, control=None)), cell=cell)
            if cell.control is Control.REPEAT:
                yield direct.keyed(Control.REPEAT)
            elif cell.control is Control.BLANK:
                yield self._blank(direct)
            else:
                yield self._first_pass(direct)

    def second_pass(self, first: PlannedCell, text: str) -> PlannedCell:
        """The second pass that follows from the text of the first: that text, typed, with the item's instruction."""
        asked = replace(
            first,
            model=self.models[first.cell.model],
            carrier=Carrier.typed(typed_carrier(text)),
            instruction=first.item.instruction,
            first_pass=text,
        )
        # With the first pass in the key: two questions that came out as one text stay two cells.
        return asked.keyed(Control.TWO_PASS, first.key or "")

    def _blank(self, direct: PlannedCell) -> PlannedCell:
        if direct.carrier is None:
            return direct
        asked = replace(direct, carrier=self.carriers.blank_of(direct.carrier))
        # With what was blanked in the key: the same white page for another question is another cell's guess.
        return asked.keyed(Control.BLANK, direct.carrier.sha)

    def _first_pass(self, direct: PlannedCell) -> PlannedCell:
        support, reason = None, ""
        if direct.model.card is not None:
            support, reason = support_of(direct.model.card, direct.cell.condition, Control.TWO_PASS)
        asked = replace(
            direct,
            model=self._in_first_pass[direct.cell.model],
            instruction=self._prompts[direct.cell.condition.input],
            support=support,
            support_reason=reason,
        )
        return asked.keyed(FIRST_PASS)

    @property
    def _prompts(self) -> dict[Modality, str]:
        return {Modality.SPEECH: self.config.run.asr_prompt, Modality.IMAGE: self.config.run.ocr_prompt}

    def first_pass_prompts(self) -> tuple[str, ...]:
        """What is typed in the first passes of this plan: beside spoken questions, beside shown ones."""
        if Control.TWO_PASS not in self.plan.controls:
            return ()
        inputs = {c.input for spec in self.plan.models for c in conditions_of(Control.TWO_PASS, spec.conditions)}
        return tuple(prompt for modality, prompt in self._prompts.items() if modality in inputs)

    @property
    def judge_digest(self) -> str | None:
        return self.cards.judge.digest if self.cards.judge is not None else None

    def transcript_key(self, audio_sha: str, item: Item) -> str:
        """The key of the scorer's transcript of a clip."""
        return transcript_key(audio_sha, self._scorer, self.scorer_language(item))

    def scorer_language(self, item: Item) -> str:
        return self.config.scorer.language or item.language

    @property
    def scorers_are_the_same(self) -> bool:
        """Whether the second scorer is asked just as the first is, so that it hears the same."""
        return self._second == self._scorer

    def second_transcript_key(self, audio_sha: str, item: Item) -> str | None:
        """The key of the second scorer's transcript of a clip; None where none is configured, or none was seen."""
        return None if self._second is None else transcript_key(audio_sha, self._second, self.second_language(item))

    def second_language(self, item: Item) -> str:
        second = self.config.second_scorer
        return (second.language if second is not None else None) or item.language


def support_of(card: pb.DescribeResponse, condition: Condition, control: Control | None) -> tuple[Support, str]:
    """What a card says of a control cell, and why not: its second pass needs a typed question answered as text too."""
    direct = support_in(card, condition)
    if control is not Control.TWO_PASS or direct[0] is Support.UNSUPPORTED:
        return direct
    typed, reason = support_in(card, REFERENCE)
    return (typed, f"its second pass is {REFERENCE}: {reason}") if typed is Support.UNSUPPORTED else direct
