"""The book of a run: for every planned cell its item, its carrier, its key, and whether its model can answer it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Control, Support
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.dispatch.service import support_in
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import Journal, ServiceRow
from omnigap_orchestrator.judging import Bench, Rubric, bench_of
from omnigap_orchestrator.plan import AnswerKeys, Cell, ModelSpec, Plan, metric_rules, scorer_key, transcript_key
from omnigap_orchestrator.run.carriers import Carrier, CarrierSet
from omnigap_orchestrator.run.panda import Classifier
from omnigap_orchestrator.scoring import JUDGE, PANDA, metric_of

SECOND_SCORER = "second_scorer"
"""Name of the second scorer's card in the journal, beside the first's."""


@dataclass(frozen=True, slots=True)
class Cards:
    """What each service of a run said of itself when it was last seen."""

    models: Mapping[str, pb.DescribeResponse]
    scorer: pb.DescribeResponse | None = None
    tts: pb.DescribeResponse | None = None
    judge: pb.DescribeResponse | None = None
    second_scorer: pb.DescribeResponse | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A model of the plan with the card it showed when it was last seen; None where it was never seen."""

    spec: ModelSpec
    card: pb.DescribeResponse | None
    keys: AnswerKeys | None

    @property
    def architecture(self) -> str:
        if self.spec.architecture is not None:
            return self.spec.architecture.value
        if self.card is None or not self.card.architecture:
            return ""
        return pb.Architecture.Name(self.card.architecture).removeprefix("ARCHITECTURE_").lower()


@dataclass(frozen=True, slots=True)
class Entry:
    """One planned cell with all that its question is made of.

    Attributes:
        carrier: None where it could not be made yet.
        instruction: typed beside the carrier; empty for none.
        key: of its answer; None while the model's digest or the carrier is unknown.
        support: None while the model was never seen.
        first_pass: what the model heard or read, in the second pass of a two-pass control; None in all other entries.
        metric: that scores its answer.
        judge: the judge and rubric of a judged answer in one word; None for other metrics, and while no judge was seen.
        classifier: of `voicebench_panda`, where one is configured; None for other metrics.
    """

    cell: Cell
    item: Item
    subject: Subject
    carrier: Carrier | None
    instruction: str
    key: str | None
    support: Support | None
    support_reason: str
    first_pass: str | None = None
    metric: str = ""
    judge: str | None = None
    classifier: Classifier | None = None

    @property
    def is_judged(self) -> bool:
        return self.metric == JUDGE

    @property
    def is_first_pass(self) -> bool:
        """Whether its answer is what a second pass will ask about, and no answer of the cell yet."""
        return self.cell.control is Control.TWO_PASS and self.first_pass is None


class Book:
    """Joins plan, carriers and cards. Entries are made as they are read: 60,000 cells need no 60,000 objects."""

    def __init__(
        self,
        config: Config,
        plan: Plan,
        carriers: CarrierSet,
        cards: Cards,
        rubrics: tuple[Rubric, Rubric] | None = None,
        classifier: Classifier | None = None,
    ) -> None:
        """`rubrics` are those for items without and with gold answers, where a judge is configured."""
        self.config = config
        self.classifier = classifier
        self.plan = plan
        self.carriers = carriers
        self._items = {item.id: item for item in plan.items}
        self.subjects = {spec.name: _subject(spec, cards.models.get(spec.name)) for spec in plan.models}
        rules = metric_rules(config)
        self.metrics = {item.id: metric_of(item, rules) for item in plan.items}
        self.bench: Bench | None = None
        if config.judge is not None and cards.judge is not None and rubrics is not None:
            self.bench = bench_of(config.judge, cards.judge.digest, rubrics)
        self.judge_digest = cards.judge.digest if cards.judge is not None else None
        self._scorer = scorer_key(cards.scorer.digest if cards.scorer is not None else "", config.scorer.decoding)
        self._second: str | None = None
        if config.second_scorer is not None and cards.second_scorer is not None:
            self._second = scorer_key(cards.second_scorer.digest, config.second_scorer.decoding)

    def __iter__(self) -> Iterator[Entry]:
        for cell in self.plan:
            yield self.entry(cell)

    def entry(self, cell: Cell) -> Entry:
        item, subject = self._items[cell.item_id], self.subjects[cell.model]
        carrier = self.carriers.get(item.id, cell.condition.input, cell.replicate)
        key = None
        if subject.keys is not None and carrier is not None:
            key = subject.keys.key(
                carrier.sha, item.instruction, item.language, cell.condition.output.value, cell.replicate
            )
        support, reason = (None, "") if subject.card is None else support_in(subject.card, cell.condition)
        metric, judge = self.metrics[item.id], None
        if metric == JUDGE and self.bench is not None:
            judge = self.bench.key(item)
        return Entry(
            cell,
            item,
            subject,
            carrier,
            item.instruction,
            key,
            support,
            reason,
            metric=metric,
            judge=judge,
            classifier=self.classifier if metric == PANDA else None,
        )

    def support(self, model: str, condition: Condition) -> Support | None:
        """What a model can do in a condition; None while it was never seen."""
        card = self.subjects[model].card
        return None if card is None else support_in(card, condition)[0]

    def transcript_key(self, audio_sha: str, item: Item) -> str:
        """The key of what the scorer hears in a clip."""
        return transcript_key(audio_sha, self._scorer, self.scorer_language(item))

    def scorer_language(self, item: Item) -> str:
        return self.config.scorer.language or item.language

    @property
    def second_is_first(self) -> bool:
        """Whether the second scorer is asked just as the first is, so that it hears the same."""
        return self._second == self._scorer

    def second_transcript_key(self, audio_sha: str, item: Item) -> str | None:
        """The key of what the second scorer hears in a clip; None where none is configured, or none was seen."""
        return None if self._second is None else transcript_key(audio_sha, self._second, self.second_language(item))

    def second_language(self, item: Item) -> str:
        second = self.config.second_scorer
        return (second.language if second is not None else None) or item.language


def last_seen(journal: Journal) -> Cards:
    """The cards that the journal holds."""
    by_role: dict[str, dict[str, pb.DescribeResponse]] = {role.value: {} for role in Role}
    for row in journal.all(ServiceRow):
        by_role[row.role][row.name] = pb.DescribeResponse.FromString(row.describe)
    return Cards(
        models=by_role[Role.MODEL],
        scorer=by_role[Role.SCORER].get(Role.SCORER),
        tts=by_role[Role.TTS].get(Role.TTS),
        judge=by_role[Role.JUDGE].get(Role.JUDGE),
        second_scorer=by_role[Role.SCORER].get(SECOND_SCORER),
    )


def _subject(spec: ModelSpec, card: pb.DescribeResponse | None) -> Subject:
    return Subject(spec, card, AnswerKeys(spec, card.digest) if card is not None else None)
