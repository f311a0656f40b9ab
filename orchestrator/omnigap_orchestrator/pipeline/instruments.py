"""What is stored in a run's folder about its services: the fleet and the instruments.

The instruments are the ASR scorer, the voice that reads the questions aloud (the TTS service) and the judge. Their
results are found by their digest, so another digest replaces all of them in the tables, whether its cause is a new
image, another option or an update of omnigap. Such a change is refused before anything is stored, unless a flag accepts
it. A changed model is never refused: it is what the run measures, and the instruments are what it measures with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from omnigap.client import GenerateClient
from omnigap.errors import ContractError, OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.fleet import Endpoints, Fleet, Required, Role, ServiceSpec, choose
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.journal import FLEET_META
from omnigap_orchestrator.pipeline.cells import Cards, PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.folder import load_plan, load_rubrics
from omnigap_orchestrator.pipeline.identity import SECOND_SCORER, replaced_instruments
from omnigap_orchestrator.pipeline.judge import stored_verdict
from omnigap_orchestrator.pipeline.make_carriers import find_carriers
from omnigap_orchestrator.pipeline.pipeline import RunServices
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import RunScope, Stage, endpoints_of, model_specs
from omnigap_orchestrator.pipeline.score import texts_of
from omnigap_orchestrator.pipeline.stored import stored_answer, stored_transcript
from omnigap_orchestrator.plan import Cell, Plan, make_plan

ACCEPT_FLAGS = {Role.SCORER: "--accept-scorer", Role.TTS: "--accept-voice", Role.JUDGE: "--accept-judge"}
"""Role of an instrument -> the flag that accepts another one."""

_DIGEST_CHARS = 12
_PROBE_S = 1.0


async def choose_fleet(
    context: RunContext,
    config: Config,
    required: Required,
    *,
    kind: FleetKind | None = None,
    configured: Endpoints | None = None,
    services: Sequence[ServiceSpec] | None = None,
    remember: bool = True,
) -> Fleet:
    """The fleet of a command; `auto` keeps the one that the folder used so far.

    Args:
        kind: of the command line; None: that of the configuration.
        configured: endpoints of this command; None: those of the configuration, unless `services` is given.
        services: what an embedded fleet may start; None: what the configuration lists.
        remember: the folder keeps this fleet from now on. False for commands that add nothing to the run's results.

    Raises:
        FleetError: there is no such fleet.
    """
    if services is None:
        configured = configured or endpoints_of(config)
        services = services_of(config) if config.fleet.services else ()
    before = context.journal.meta(FLEET_META)
    fleet = await choose(
        kind or config.fleet.kind,
        configured,
        services,
        context.folder.services,
        context.observer.note,
        config.fleet.start_timeout_s,
        required,
        remembered=FleetKind(before) if before in (FleetKind.COMPOSE, FleetKind.EMBEDDED) else None,
        patience_s=config.run.patience_s,
        setup=config.fleet.setup,
    )
    if remember:
        context.fleet_kind = fleet.kind
    return fleet


class InstrumentError(OmnigapError):
    """An instrument is not the one whose results the folder holds; the message names both, and the flag."""


@dataclass(frozen=True, slots=True)
class InstrumentChange:
    """Another instrument than the one whose stored results the plan uses.

    Attributes:
        role: decides the flag that accepts it.
        what: its name in messages.
        address: where the new one answers.
        stored: what of the old one would no longer be used, such as `84 stored transcripts`.
        again: what would be done again; empty if the results of the new one are stored as well.
    """

    role: Role
    what: str
    before: pb.DescribeResponse
    now: pb.DescribeResponse
    address: str
    stored: str
    again: str

    @property
    def names(self) -> str:
        """Both services with their digests."""
        return f"{self.what} is now {_named(self.now)} at {self.address}, and was {_named(self.before)}"

    @property
    def effect(self) -> str:
        """What it would replace."""
        again = f", and {self.again}" if self.again else "; those of the new one are stored already"
        return f"{self.stored} of the old one would no longer be used{again}"


def enforce_changes(context: RunContext, changes: Sequence[InstrumentChange], kept: str = "") -> None:
    """Notes the accepted changes.

    Args:
        kept: what the refusal left as it was; empty: the whole folder.

    Raises:
        InstrumentError: there are changes that the command does not accept.
    """
    refused = [change for change in changes if change.role not in context.accepts]
    if refused:
        # Those that were given too, since the command needs all of them.
        flags = " ".join(dict.fromkeys(ACCEPT_FLAGS[change.role] for change in changes))
        lines = "\n".join(f"{change.names}: {change.effect}" for change in refused)
        kept = kept or f"Nothing was changed in {context.folder.root}."
        raise InstrumentError(
            f"{lines}\n{kept} To use what is there now: {flags}. To keep both: another --run-dir. To keep the results "
            "as they are: start the old one again"
        )
    for change in changes:
        context.observer.note(f"{ACCEPT_FLAGS[change.role]}: {change.names}; no longer used: {change.stored}")


async def check_instruments(
    context: RunContext, config: Config, plan: Plan, scope: RunScope, services: RunServices, endpoints: Endpoints
) -> None:
    """Compares the connected instruments with those whose results this folder holds. Writes nothing.

    Raises:
        InstrumentError: stored results would be replaced, and no flag accepts it.
    """
    seen = Cards.last_seen(context.records)
    compared = []
    for role, before, service, places in (
        (Role.TTS, seen.tts, services.tts, endpoints.tts),
        (Role.SCORER, seen.scorer, services.scorer, endpoints.scorer),
        (Role.JUDGE, seen.judge, services.judge, endpoints.judge),
    ):
        if before is not None and service is not None:
            compared += _compared(context, role, role.value, before, service.card, ", ".join(places))
    second = config.second_scorer
    if second is not None and seen.second_scorer is not None and Stage.TRANSCRIBE in scope.stages:
        # It is connected when the run is complete. Asked now, so that a refusal comes before anything is stored.
        for address in second.endpoints:
            if (card := await _card_at(address, config.network.proxy)) is not None:
                compared += _compared(context, Role.SCORER, SECOND_SCORER, seen.second_scorer, card, address)
                break
    enforce_changes(context, _changes(context, config, plan, compared))


def check_second_scorer(context: RunContext, cells: PlannedCells, card: pb.DescribeResponse, address: str) -> None:
    """As `check_instruments`, for a second scorer that did not answer when the command began.

    Raises:
        InstrumentError: its stored transcripts would be replaced, and no flag accepts it.
    """
    before = Cards.last_seen(context.records).second_scorer
    # If it is accepted, `check_instruments` may have noted it already.
    if before is not None and Role.SCORER not in context.accepts:
        compared = _compared(context, Role.SCORER, SECOND_SCORER, before, card, address)
        kept = (
            f"The results of this command are stored in {context.folder.root}, and those of the second scorer are kept."
        )
        enforce_changes(context, _changes(context, cells.config, cells.plan, compared), kept)


@dataclass(frozen=True, slots=True)
class _Compared:
    """An instrument that answers, and one from before; `name` is that of its card in the journal.

    Attributes:
        replaced: the one from before is not the last one: the plans in between used none of its results.
    """

    role: Role
    name: str
    before: pb.DescribeResponse
    now: pb.DescribeResponse
    address: str
    replaced: bool = False


def _compared(
    context: RunContext, role: Role, name: str, before: pb.DescribeResponse, now: pb.DescribeResponse, address: str
) -> list[_Compared]:
    """The pairs of an instrument that differ: with the one that was seen last, and with earlier ones."""
    found = [_Compared(role, name, before, now, address)]
    for digest, title in replaced_instruments(context.journal, name).items():
        card = pb.DescribeResponse(name=title, digest=digest)
        found.append(_Compared(role, name, card, now, address, replaced=True))
    return [each for each in found if each.before.digest != each.now.digest]


def _changes(context: RunContext, config: Config, plan: Plan, compared: Sequence[_Compared]) -> list[InstrumentChange]:
    """The changes that replace stored results."""
    if not compared:
        return []
    stored = _Stored(context, config, plan)
    return [change for each in compared if (change := stored.change(each)) is not None]


def _named(card: pb.DescribeResponse) -> str:
    return f"{card.name} with digest {card.digest[:_DIGEST_CHARS]}"


async def _card_at(address: str, proxy: str) -> pb.DescribeResponse | None:
    """The card of a service that answers at once."""
    async with GenerateClient(address, proxy) as client:
        if not await client.serving(timeout_s=_PROBE_S):
            return None
        try:
            return await client.describe(timeout_s=_PROBE_S)
        except ContractError:
            return None


class _Stored:
    """The cells as the folder's tables have them, and those that this command adds, with the stored rubrics and cards.

    What this command adds may have results too: those of an earlier plan, which the stored one left out.
    """

    def __init__(self, context: RunContext, config: Config, plan: Plan) -> None:
        """
        Args:
            config, plan: of this command. Only cells of this plan are counted: results of others are not used anyway.
        """
        self._records = context.records
        self._store = context.store
        self._name = context.folder.name
        self._planned = {*plan, *plan.control_cells()}
        self._plans = [(config, plan)]
        # Lost or damaged: the plan of this command is then the best that is known.
        with contextlib.suppress(OmnigapError):
            stored, items = load_plan(context.folder)
            specs = model_specs(stored, Endpoints({}, (), ()))
            self._plans.insert(0, (stored, make_plan(items, specs, stored.run.replicates, stored.run.controls)))
        self._rubrics = load_rubrics(context.journal)
        self._cards = Cards.last_seen(context.records)

    def change(self, each: _Compared) -> InstrumentChange | None:
        """What the new one would replace; None if nothing stored would be."""
        # The fields of `Cards` are called as the cards in the journal.
        old, new = dict[str, Any]({each.name: each.before}), dict[str, Any]({each.name: each.now})
        before, after = replace(self._cards, **old), replace(self._cards, **new)
        if each.role is Role.TTS:
            what, (stored, again) = "the voice (TTS service)", self._voice(before, after)
        elif each.role is Role.JUDGE:
            what, (stored, again) = "the judge", self._verdicts(before, after)
        elif each.name == SECOND_SCORER:
            what, (stored, again) = "the second ASR scorer", self._transcripts(before, after, second=True)
        else:
            what, (stored, again) = "the ASR scorer", self._transcripts(before, after, second=False)
        # The tables do not use what a replaced one has in common with the new one.
        if not stored or (each.replaced and not again):
            return None
        return InstrumentChange(each.role, what, each.before, each.now, each.address, stored, again)

    def _cells(self, cards: Cards) -> list[PlannedCells]:
        """The cells of each plan."""
        found = []
        for config, plan in self._plans:
            carriers = find_carriers(config, plan, self._store, self._records, cards.tts_digest)
            found.append(PlannedCells(config, plan, carriers, cards, self._rubrics))
        return found

    def _current(self, old: Cards, new: Cards) -> Iterator[tuple[PlannedCell, PlannedCells, PlannedCells]]:
        """The cells of each plan, those of a two-pass control in their current pass, with all cells before and after.

        Args:
            old, new: with the old and with the new instrument.
        """
        for before, after in zip(self._cells(old), self._cells(new), strict=True):
            table = ResultsTable(self._name, before, self._records)
            for planned in chain(before, before.controls()):
                if planned.cell in self._planned:
                    yield table.current_pass(planned), before, after

    def _transcripts(self, cards: Cards, new_cards: Cards, *, second: bool) -> tuple[str, str]:
        used: dict[str, bool] = {}
        for current, before, after in self._current(cards, new_cards):
            answer = stored_answer(self._records.answers, current)
            if answer is None or answer.media_sha is None or not current.is_spoken:
                continue
            old, new = (self._transcript(cells, answer.media_sha, current, second) for cells in (before, after))
            if old is not None:
                used[old] = new is not None
        again = sum(not kept for kept in used.values())
        return _count(len(used), "stored transcript"), _count(again, "recording", "transcribed again")

    def _transcript(self, cells: PlannedCells, media_sha: str, cell: PlannedCell, second: bool) -> str | None:
        """The key of the stored transcript of some audio; None if there is none."""
        if second:
            key, card = cells.second_transcript_key(media_sha, cell.item), cells.cards.second_scorer
        else:
            key, card = cells.transcript_key(media_sha, cell.item), cells.cards.scorer
        if key is None or card is None:
            return None
        return None if stored_transcript(self._records.transcripts, key, card.digest) is None else key

    def _voice(self, cards: Cards, new_cards: Cards) -> tuple[str, str]:
        recordings: set[str] = set()
        again: set[Cell] = set()
        for before, after in zip(self._cells(cards), self._cells(new_cards), strict=True):
            both = zip(chain(before, before.controls()), chain(after, after.controls()), strict=True)
            for old, new in both:
                spoken = old.cell.condition.input is Modality.SPEECH and Modality.SPEECH not in old.item.carriers
                if not spoken or old.cell not in self._planned or old.carrier is None:
                    continue
                recordings.add(old.carrier.sha)
                asked = stored_answer(self._records.answers, old) is not None
                if asked and (new.key is None or new.key not in self._records.answers):
                    again.add(old.cell)
        return _count(len(recordings), "stored recording"), _count(
            len(again), "cell", "asked again (and all cells of a model that changed too)"
        )

    def _verdicts(self, cards: Cards, new_cards: Cards) -> tuple[str, str]:
        verdicts: set[tuple[Cell, str | None]] = set()
        again: set[Cell] = set()
        for current, before, after in self._current(cards, new_cards):
            answer = stored_answer(self._records.answers, current)
            if answer is None or not current.is_judged:
                continue
            transcript = None
            if answer.media_sha is not None and current.is_spoken:
                key = before.transcript_key(answer.media_sha, current.item)
                transcript = stored_transcript(self._records.transcripts, key, before.scorer_digest)
            if current.needs_transcript(answer, transcript):
                continue
            texts = texts_of(current, answer, transcript)
            stored = [t for t in texts if stored_verdict(before, current, t, self._records.verdicts) is not None]
            verdicts.update((current.cell, text) for text in stored)
            if any(stored_verdict(after, current, text, self._records.verdicts) is None for text in stored):
                again.add(current.cell)
        return _count(len(verdicts), "stored verdict"), _count(len(again), "answer", "judged again")


def _count(number: int, what: str, done: str = "") -> str:
    """A number with its noun, as in `3 cells would be asked again`; empty for 0."""
    if not number:
        return ""
    noun = what if number == 1 else f"{what}s"
    return f"{number} {noun} would be {done}" if done else f"{number} {noun}"
