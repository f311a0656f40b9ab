"""The judge stage: scores the texts of an answer with an LLM judge, and stores each verdict under its prompt."""

from __future__ import annotations

import asyncio
import secrets
import time

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import FailureRow, VerdictRow
from omnigap_orchestrator.judge import UNREADABLE, JudgePrompt, JudgeSetup, Rubric, Verdict, combine_votes, read_verdict
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls
from omnigap_orchestrator.pipeline.requests import judge_request
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.pool import Unavailable

VERDICT_ATTEMPTS = 2
"""Attempts per command before a reply counts as unparsable."""
_MAX_QUOTED = 160


class UnparsableVerdict(OmnigapError):  # noqa: N818 - the state of a cell, not a fault of the program
    """The judge replied, but its reply contains no verdict."""

    def __init__(self, reply: str, rubric: Rubric, endpoint: str) -> None:
        shown = reply if len(reply) <= _MAX_QUOTED else f"{reply[:_MAX_QUOTED]}…"
        super().__init__(f"the judge replied {shown!r}: no verdict on the scale {rubric.scale} of {rubric.name}")
        self.endpoint = endpoint


class Judge:
    """Scores texts with the judge and stores its verdicts; equal texts of one item are judged once."""

    def __init__(self, context: RunContext, calls: ServiceCalls, setup: JudgeSetup, decoding: DecodingConfig) -> None:
        self._calls, self._setup, self._decoding = calls, setup, decoding
        self._records = context.records
        # Each command has its own request IDs: with those of an earlier one, the service could replay an unparsable
        # reply instead of asking the judge again.
        self._command_id = f"{context.run_id}-{secrets.token_hex(4)}"
        self._in_flight: dict[str, asyncio.Future[VerdictRow]] = {}

    async def scores(self, item: Item, used: str, own: str | None) -> tuple[float, float | None]:
        """The scores of the scored text and of the own text, each in [0, 1].

        Args:
            used: the text that is scored.
            own: the own text of a speech answer, if any.

        Raises:
            Unavailable: the judge is unavailable, and a verdict is not stored yet.
            CallFailed: the judge is healthy, but a call failed.
            UnparsableVerdict: a reply contains no verdict.
        """
        # One slot for both texts: they are judged one after the other, as one cell.
        async with self._calls.slots:
            return await self._score(item, used), None if own is None else await self._score(item, own)

    async def _score(self, item: Item, text: str) -> float:
        """The score of one text, averaged over the votes."""
        # An empty answer scores 0 under every rubric, so no call is needed.
        if not text.strip():
            return 0.0
        rubric = self._setup.rubric_for(item)
        rows = [await self._vote(prompt, rubric) for prompt in self._setup.prompts(item, text)]
        return combine_votes(rubric, [(row.rating, row.score) for row in rows]).score

    async def _vote(self, prompt: JudgePrompt, rubric: Rubric) -> VerdictRow:
        """The verdict of one vote: stored, in flight, or requested now."""
        known = self._records.verdicts.get(prompt.key)
        if known is not None and known.judge_digest == self._calls.digest:
            return known
        if (pending := self._in_flight.get(prompt.key)) is not None:
            # Shielded: a waiter that is cancelled must not cancel the future that others wait for.
            return await asyncio.shield(pending)
        self._in_flight[prompt.key] = pending = asyncio.get_running_loop().create_future()
        try:
            row = await self._request_verdict(prompt, rubric)
        except BaseException as error:
            # Every waiter gets the same error. `exception()` marks it as retrieved: asyncio would log an error about a
            # future that failed without a waiter.
            pending.set_exception(error if isinstance(error, Exception) else Unavailable("the run was stopped"))
            pending.exception()
            raise
        else:
            pending.set_result(row)
            return row
        finally:
            del self._in_flight[prompt.key]

    async def _request_verdict(self, prompt: JudgePrompt, rubric: Rubric) -> VerdictRow:
        """Asks the judge until its reply can be parsed, at most `VERDICT_ATTEMPTS` times."""
        for number in range(VERDICT_ATTEMPTS):
            request_id = f"{self._command_id}-{prompt.key}-{number}"
            answer = await self._calls.call(judge_request(prompt, self._decoding, request_id, self._calls.digest))
            parsed = read_verdict(rubric, answer.own_text)
            if parsed is not None:
                rating, score = parsed
                key, text = prompt.key, answer.own_text
                row = VerdictRow(key, text, rating, score, answer.digest, answer.endpoint, time.time())
                await self._records.save(row)
                return row
        raise UnparsableVerdict(answer.own_text, rubric, answer.endpoint)


def unparsable_row(cell: Cell, error: UnparsableVerdict) -> FailureRow:
    """The failure row of a cell whose judge gave no verdict."""
    return FailureRow(
        stage=Stage.JUDGE.value,
        model=cell.model,
        item_id=cell.item_id,
        condition=cell.filed_under,
        replicate=cell.replicate,
        reason=UNREADABLE,
        message=str(error),
        endpoint=error.endpoint,
        attempts=VERDICT_ATTEMPTS,
        at=time.time(),
    )


def stored_verdict(
    cells: PlannedCells, cell: PlannedCell, text: str | None, verdicts: dict[str, VerdictRow]
) -> Verdict | None:
    """The stored verdict on a text; None unless all its votes are stored."""
    votes = _votes(cells, cell, text, verdicts)
    if not votes or cells.setup is None:
        return None
    present = [(row.rating, row.score) for row in votes if row is not None and row.judge_digest == cells.judge_digest]
    return combine_votes(cells.setup.rubric_for(cell.item), present) if len(present) == len(votes) else None


def misjudged_rows(
    cells: PlannedCells, cell: PlannedCell, text: str | None, verdicts: dict[str, VerdictRow]
) -> list[VerdictRow]:
    """The stored votes on a text that another judge gave than the one whose key they lie under."""
    return [row for row in _votes(cells, cell, text, verdicts) if row and row.judge_digest != cells.judge_digest]


def _votes(
    cells: PlannedCells, cell: PlannedCell, text: str | None, verdicts: dict[str, VerdictRow]
) -> list[VerdictRow | None]:
    """The stored votes on a text; None for each that is missing."""
    if not cell.is_judged or cells.setup is None or text is None or not text.strip():
        return []
    return [verdicts.get(prompt.key) for prompt in cells.setup.prompts(cell.item, text)]
