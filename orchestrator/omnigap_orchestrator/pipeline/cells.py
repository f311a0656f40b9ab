"""The planned cells of a run, control cells included: each with its item, carrier, key and declared support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from omnigap import convert
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import REFERENCE, Condition, Control, Modality, Support
from omnigap_orchestrator.carriers.carrier_set import Carrier, CarrierSet
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import AnswerRow, Records, TranscriptRow
from omnigap_orchestrator.judge import JudgeSetup, Rubric, judge_setup
from omnigap_orchestrator.pipeline.identity import SECOND_SCORER, is_configured
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

_MODEL = "model:"


@dataclass(frozen=True, slots=True)
class Cards:
    """The last Describe response of each service of a run.

    Attributes:
        outdated: roles whose last card is not that of the configured service, with its name: their results are not used
            until the configured one was reached.
    """

    models: Mapping[str, pb.DescribeResponse]
    scorer: pb.DescribeResponse | None = None
    tts: pb.DescribeResponse | None = None
    judge: pb.DescribeResponse | None = None
    second_scorer: pb.DescribeResponse | None = None
    outdated: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def last_seen(cls, records: Records, config: Config | None = None) -> Cards:
        """The cards stored in the journal.

        Args:
            config: leaves out the cards of scorers and judges that it does not name; None keeps all.
        """
        cards = {place: pb.DescribeResponse.FromString(row.describe) for place, row in records.services.items()}
        outdated = {}
        if config is not None:
            for role, name in list(cards):
                if not is_configured(records.journal, config, role, name):
                    outdated[name] = cards.pop((role, name)).name
        return cls(
            models={name: card for (role, name), card in cards.items() if role == Role.MODEL},
            scorer=cards.get((Role.SCORER, Role.SCORER)),
            tts=cards.get((Role.TTS, Role.TTS)),
            judge=cards.get((Role.JUDGE, Role.JUDGE)),
            second_scorer=cards.get((Role.SCORER, SECOND_SCORER)),
            outdated=outdated,
        )

    @classmethod
    def from_digests(cls, digests: Mapping[str, str]) -> Cards:
        """Cards with only a digest: enough to compute the keys of an earlier state of the services.

        Args:
            digests: as returned by `digests`.
        """
        cards = {name: pb.DescribeResponse(digest=digest) for name, digest in digests.items()}
        models = {name.removeprefix(_MODEL): card for name, card in cards.items() if name.startswith(_MODEL)}
        return cls(models, cards.get(Role.SCORER), cards.get(Role.TTS), cards.get(Role.JUDGE))

    def digests(self) -> dict[str, str]:
        """Digests of the services whose digest is part of a key, by role; `model:NAME` for a model."""
        models = {f"{_MODEL}{name}": card for name, card in self.models.items()}
        helpers = {Role.SCORER: self.scorer, Role.TTS: self.tts, Role.JUDGE: self.judge}
        cards = {**models, **{role.value: card for role, card in helpers.items()}}
        return {name: card.digest for name, card in cards.items() if card is not None}

    @property
    def tts_digest(self) -> str:
        """Digest of the TTS service; empty if none was seen yet."""
        return self.tts.digest if self.tts is not None else ""


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of the plan with its last card; card and keys are None if it was never seen."""

    spec: ModelSpec
    card: pb.DescribeResponse | None
    keys: AnswerKeys | None

    @classmethod
    def from_card(cls, spec: ModelSpec, card: pb.DescribeResponse | None) -> PlannedModel:
        return cls(spec, card, AnswerKeys(spec, card.digest) if card is not None else None)

    @property
    def architecture(self) -> str:
        """The architecture type of the configuration, else of the card; empty if neither declares one."""
        if self.spec.architecture is not None:
            return self.spec.architecture.value
        declared = convert.known_architecture(self.card.architecture) if self.card is not None else None
        return "" if declared is None else declared.value

    def key(self, cell: Cell, carrier: Carrier | None, instruction: str, language: str, *marks: str) -> str | None:
        """The key of an answer; None while the model's digest or the carrier is unknown.

        Args:
            marks: what distinguishes a control cell from the cell that it controls.
        """
        if self.keys is None or carrier is None:
            return None
        return self.keys.key(carrier.sha, instruction, language, cell.condition.output.value, cell.replicate, *marks)

    def for_first_pass(self) -> PlannedModel:
        """The model with the decoding of a first pass."""
        # max_new_tokens is chosen for answers; it would cut off the transcript of a long question.
        decoding = self.spec.decoding.model_copy(update={"max_new_tokens": None})
        return PlannedModel.from_card(replace(self.spec, decoding=decoding), self.card)


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One planned cell with everything that its request is built from.

    Attributes:
        carrier: None if it was not made yet.
        instruction: text sent with the carrier; may be empty.
        key: key of its answer; None while the model's digest or the carrier is unknown.
        support: None while the model was never seen.
        first_pass: the text of the first pass, in the second pass of a two-pass control; None in all other cells.
        metric: name of the metric that scores its answer.
        judge: digest of judge and rubric, for a judged answer; None for other metrics, and until a judge was seen.
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
        """Whether the answer is requested as speech."""
        return self.cell.condition.output is Modality.SPEECH

    @property
    def is_first_pass(self) -> bool:
        """Whether this is the first pass of a two-pass control, whose answer is the input of the second."""
        return self.cell.control is Control.TWO_PASS and self.first_pass is None

    def needs_transcript(self, answer: AnswerRow, transcript: TranscriptRow | None) -> bool:
        """Whether the answer has audio that the ASR scorer has not transcribed."""
        return transcript is None and self.is_spoken and answer.media_sha is not None

    def with_key(self, *marks: str) -> PlannedCell:
        """This cell with the key of its current request; `marks` distinguish a control cell."""
        key = self.model.key(self.cell, self.carrier, self.instruction, self.item.language, *marks)
        return replace(self, key=key)


class PlannedCells:
    """Joins plan, carriers and cards.

    Cells are created while iterating, so that a plan of 60,000 cells is not held as 60,000 objects.
    """

    def __init__(
        self,
        config: Config,
        plan: Plan,
        carriers: CarrierSet,
        cards: Cards,
        rubrics: tuple[Rubric, Rubric] | None = None,
    ) -> None:
        """
        Args:
            rubrics: for items without and with gold answers, if a judge is configured.
        """
        self.config = config
        self.plan = plan
        self.carriers = carriers
        self.cards = cards
        self._items = {item.id: item for item in plan.items}
        self.models = {spec.name: PlannedModel.from_card(spec, cards.models.get(spec.name)) for spec in plan.models}
        self._first_pass_models = {name: model.for_first_pass() for name, model in self.models.items()}
        # By item and not by cell: the metric depends on nothing else, and choosing it is not free.
        rules = metric_rules(config)
        self.metrics = {item.id: metric_of(item, rules) for item in plan.items}
        self.setup: JudgeSetup | None = None
        if config.judge is not None and cards.judge is not None and rubrics is not None:
            self.setup = judge_setup(config.judge, cards.judge.digest, rubrics)
        # With the decoding of the configuration: it changes transcripts as much as the weights do.
        self._scorer = scorer_key(self.scorer_digest, config.scorer.decoding)
        self._second: str | None = None
        self.set_second_scorer(cards.second_scorer)

    def set_second_scorer(self, card: pb.DescribeResponse | None) -> None:
        """Sets the card of the second scorer, which the keys of its transcripts are computed from."""
        if self.config.second_scorer is not None and card is not None:
            self.cards = replace(self.cards, second_scorer=card)
            self._second = scorer_key(card.digest, self.config.second_scorer.decoding)

    def __iter__(self) -> Iterator[PlannedCell]:
        """The cells of the results table, in plan order; control cells come from `controls`."""
        return map(self.planned, self.plan)

    def planned(self, cell: Cell) -> PlannedCell:
        """The planned cell of an ordinary cell (no control)."""
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
            # Part of the key of the score: another judge or rubric gives another score.
            judge=self.setup.key(item) if metric == JUDGE and self.setup is not None else None,
        )

    def controls(self) -> Iterator[PlannedCell]:
        """The control cells, in plan order; those of a two-pass control as their first pass."""
        for cell in self.plan.control_cells():
            # A control cell starts from the ordinary cell that it is compared with, so that only the control differs.
            direct = replace(self.planned(replace(cell, control=None)), cell=cell)
            if cell.control is Control.REPEAT:
                # Same request under another key: answers differ only by what the model does not reproduce.
                yield direct.with_key(Control.REPEAT)
            elif cell.control is Control.BLANK:
                yield self._blank(direct)
            else:
                yield self._first_pass(direct)

    def second_pass(self, first: PlannedCell, text: str) -> PlannedCell:
        """The second pass of a two-pass cell: the text of the first as a text carrier, with the item's instruction.

        Args:
            text: what the model wrote in the first pass.
        """
        second = replace(
            first,
            model=self.models[first.cell.model],
            carrier=Carrier.typed(typed_carrier(text)),
            instruction=first.item.instruction,
            first_pass=text,
        )
        # The key contains the first pass, so that two questions with the same transcript stay two cells.
        return second.with_key(Control.TWO_PASS, first.key or "")

    def _blank(self, direct: PlannedCell) -> PlannedCell:
        if direct.carrier is None:
            return direct
        blank = replace(direct, carrier=self.carriers.blank_of(direct.carrier))
        # The key contains the original carrier: equal blanks of different questions are separate guesses.
        return blank.with_key(Control.BLANK, direct.carrier.sha)

    def _first_pass(self, direct: PlannedCell) -> PlannedCell:
        support, reason = None, ""
        if direct.model.card is not None:
            support, reason = support_of(direct.model.card, direct.cell.condition, Control.TWO_PASS)
        first = replace(
            direct,
            # The prompt replaces the instruction: the first pass transcribes the question and must not answer it.
            model=self._first_pass_models[direct.cell.model],
            instruction=self._prompts[direct.cell.condition.input],
            support=support,
            support_reason=reason,
        )
        return first.with_key(FIRST_PASS)

    @property
    def _prompts(self) -> dict[Modality, str]:
        return {Modality.SPEECH: self.config.run.asr_prompt, Modality.IMAGE: self.config.run.ocr_prompt}

    def first_pass_prompts(self) -> tuple[str, ...]:
        """The prompts of the first passes of this plan: with speech questions, with image questions."""
        if Control.TWO_PASS not in self.plan.controls:
            return ()
        inputs = {c.input for spec in self.plan.models for c in conditions_of(Control.TWO_PASS, spec.conditions)}
        return tuple(prompt for modality, prompt in self._prompts.items() if modality in inputs)

    @property
    def judge_digest(self) -> str | None:
        return self.cards.judge.digest if self.cards.judge is not None else None

    @property
    def scorer_digest(self) -> str:
        """Digest of the ASR scorer; empty if none was seen yet."""
        return self.cards.scorer.digest if self.cards.scorer is not None else ""

    def transcript_key(self, audio_sha: str, item: Item) -> str:
        """The key of the ASR scorer's transcript of an audio file."""
        return transcript_key(audio_sha, self._scorer, self.scorer_language(item))

    def scorer_language(self, item: Item) -> str:
        """The language that the ASR scorer is given: `[scorer] language`, else the item's."""
        return self.config.scorer.language or item.language

    @property
    def scorers_are_the_same(self) -> bool:
        """Whether both scorers have the same digest and decoding, so that comparing them shows nothing."""
        return self._second == self._scorer

    def second_transcript_key(self, audio_sha: str, item: Item) -> str | None:
        """As `transcript_key`, for the second scorer; None if none is configured or none was seen."""
        return None if self._second is None else transcript_key(audio_sha, self._second, self.second_language(item))

    def second_language(self, item: Item) -> str:
        """The language that the second scorer is given: `[second_scorer] language`, else the item's."""
        second = self.config.second_scorer
        return (second.language if second is not None else None) or item.language


def support_of(card: pb.DescribeResponse, condition: Condition, control: Control | None) -> tuple[Support, str]:
    """Declared support of a condition or of a control in it, with the reason if it is unsupported.

    A two-pass control also needs t2t, the condition of its second pass.
    """
    direct = support_in(card, condition)
    if control is not Control.TWO_PASS or direct[0] is Support.UNSUPPORTED:
        return direct
    typed, reason = support_in(card, REFERENCE)
    return (typed, f"its second pass is {REFERENCE}: {reason}") if typed is Support.UNSUPPORTED else direct
