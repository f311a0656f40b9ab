"""`bench latency`: asks a sample of a run's questions one at a time, on services that do nothing else.

A run keeps its services busy, so its latencies are those of a queue. The rows are kept in the run's folder, outside of
the journal: no score rests on them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from omnigap.answer import Answer
from omnigap.vocabulary import Outcome, Support
from omnigap_orchestrator.analysis.latency import IDLE_SCHEMA
from omnigap_orchestrator.carriers import MediumError
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.fleet import Fleet, Required
from omnigap_orchestrator.items import select_items
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder, replacing
from omnigap_orchestrator.pipeline.instruments import choose_fleet
from omnigap_orchestrator.pipeline.requests import model_request
from omnigap_orchestrator.pipeline.results import times_of
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.pipeline.stored_files import fault_of, remember
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable

DEFAULT_ITEMS = 20
"""Enough for a median; a 95th percentile takes 72."""


@dataclass(frozen=True, slots=True)
class IdleMeasurement:
    """The result of one call.

    Attributes:
        table: all rows of the folder whose model is still the same, also of earlier calls (`IDLE_SCHEMA`).
        unanswered: number of questions of this call without an answer.
        asked: number of questions of this call.
    """

    table: pl.DataFrame
    unanswered: int
    asked: int


async def measure(
    context: RunContext, cells: PlannedCells, scope: RunScope, items: int, fleet: FleetKind | None = None
) -> IdleMeasurement:
    """Asks `items` questions in each planned condition of each model in the scope, one at a time.

    The rows of a model and condition replace earlier ones. Carriers must exist: the run makes them.

    Raises:
        FleetError: the services can't be started or found.
        FolderError: the rows can't be written.
    """
    rows: list[dict[str, object]] = []
    names = [name for name in cells.models if not scope.models or name in scope.models]
    async with context.using(await _fleet(context, cells.config, names, fleet)) as endpoints:
        # One model after the other: two at once would share the machine.
        for name in names:
            service = await context.connect(name, endpoints.models.get(name, ()), cells.config)
            card = cells.models[name].card
            if service is None:
                context.observer.note(f"model {name} is unavailable: its latency is not measured")
            elif card is None or service.digest != card.digest:
                context.observer.note(
                    f"model {name} is not the one of the run: run it again before its latency is measured"
                )
            else:
                rows += await _ask_all(context, cells, service, list(_sample(cells, scope, name, items)))
    measured = pl.DataFrame(rows, schema=IDLE_SCHEMA)
    earlier = read_idle_answers(context.folder)
    key = ["model", "condition"]
    kept = earlier.join(measured.select(key).unique(), on=key, how="anti")
    digests = {name: model.card.digest for name, model in cells.models.items() if model.card is not None}
    table = pl.concat([kept, measured]).filter(
        pl.col("model_digest") == pl.col("model").replace_strict(digests, default=None, return_dtype=pl.String)
    )
    with replacing(context.folder.idle_latency) as path:
        table.write_parquet(path)
    remember(context.journal, context.folder.idle_latency)
    return IdleMeasurement(table, measured.filter(pl.col("outcome") != Outcome.ANSWERED.value).height, measured.height)


def read_idle_answers(folder: RunFolder, results: pl.DataFrame | None = None) -> pl.DataFrame:
    """The rows in a run's folder (`IDLE_SCHEMA`); empty if nothing was measured.

    Args:
        results: only rows of the models with the digests of these results; None: all rows.

    Raises:
        FolderError: the file can't be read.
    """
    if not folder.idle_latency.is_file():
        return pl.DataFrame(schema=IDLE_SCHEMA)
    if fault := fault_of(folder.idle_latency):
        raise FolderError(f"{folder.idle_latency} {fault}: delete it and run `bench latency` again")
    try:
        table = pl.read_parquet(folder.idle_latency, glob=False).select(IDLE_SCHEMA.names()).cast(IDLE_SCHEMA)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        text = f"{folder.idle_latency} can't be read ({error}): delete it and run `bench latency` again"
        raise FolderError(text) from error
    if results is None:
        return table
    current = results.select("model", "model_digest").drop_nulls().unique()
    return table.join(current, on=["model", "model_digest"], how="semi", maintain_order="left")


async def _fleet(context: RunContext, config: Config, names: Sequence[str], kind: FleetKind | None) -> Fleet:
    by_config = {model.name: model.endpoints for model in config.models}
    required = Required(models=tuple(n for n in names if not by_config.get(n)), scorer=False, tts=False)
    return await choose_fleet(context, config, required, kind=kind, remember=False)


def _sample(cells: PlannedCells, scope: RunScope, model: str, items: int) -> Iterator[list[PlannedCell]]:
    """The cells to ask, by condition: the first replicate of items taken in turn from the tasks."""
    chosen = select_items(cells.plan.items)
    for condition in cells.models[model].spec.conditions:
        if not scope.covers(model, condition):
            continue
        planned = (cells.planned(Cell(model, item.id, condition, 0)) for item in chosen)
        askable = [c for c in planned if c.key is not None and c.support is not Support.UNSUPPORTED]
        if askable:
            yield askable[:items]


async def _ask_all(
    context: RunContext, cells: PlannedCells, service: Service, by_condition: Sequence[Sequence[PlannedCell]]
) -> list[dict[str, object]]:
    # A repeated request ID would replay the answer of the run, or of an earlier call of this command.
    run_id = f"bench-{uuid.uuid4().hex}"
    timeout_s, total = cells.config.run.request_timeout_s, sum(map(len, by_condition))
    rows: list[dict[str, object]] = []

    async def ask(cell: PlannedCell, run: str) -> Answer | None:
        try:
            return await service.pool.call(model_request(cell, context.store.read, run, service.digest), timeout_s)
        except CallFailed as failed:
            context.observer.note(f"{cell.cell.item_id} in {cell.cell.condition.name}: {failed.error.message}")
            return None
        except MediumError as error:
            context.observer.note(f"{cell.cell.item_id} in {cell.cell.condition.name}: {error}")
            return None

    try:
        for cells_of_condition in by_condition:
            # The first question of a condition loads and compiles: it is asked once more than it counts.
            await ask(cells_of_condition[0], f"{run_id}-warm")
            for cell in cells_of_condition:
                rows.append(_row(cell, service, await ask(cell, run_id)))
                context.observer.preparing(f"answers of {service.name}, one at a time", len(rows), total)
    except Unavailable as error:
        context.observer.note(f"{error}: the rest of its latencies is not measured")
    return rows


def _row(cell: PlannedCell, service: Service, answer: Answer | None) -> dict[str, object]:
    return {
        "model": cell.cell.model,
        "condition": cell.cell.condition.name,
        "item_id": cell.cell.item_id,
        "replicate": cell.cell.replicate,
        "model_digest": service.digest,
        "outcome": (Outcome.FAILED if answer is None else Outcome.ANSWERED).value,
        "latency_s": None if answer is None else answer.latency_s,
        **times_of(None if answer is None else answer.timings),
        "audio_seconds": None if answer is None or not answer.pcm else answer.audio_seconds,
        "finished_at": time.time(),
    }
