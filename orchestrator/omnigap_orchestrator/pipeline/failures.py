"""A cell's failure as the journal keeps it."""

from __future__ import annotations

import time

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality
from omnigap_orchestrator.journal import FailureRow
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.pool import CallFailed

NO_MODEL = ""
"""In the place of the model in the failure of a carrier, which all models share."""


def failure_row(stage: Stage, cell: Cell, failed: CallFailed) -> FailureRow:
    """The last failure of a cell in a stage."""
    return FailureRow(
        stage=stage.value,
        model=cell.model,
        item_id=cell.item_id,
        condition=cell.filed_under,
        replicate=cell.replicate,
        reason=failed.error.reason.value,
        message=failed.error.message,
        endpoint=failed.endpoint,
        attempts=failed.attempts,
        at=time.time(),
    )


def carrier_failure_row(item_id: str, modality: Modality, variant: int, error: ContractError) -> FailureRow:
    """Why a question could not be read aloud: it concerns every cell that needs it, so it names no model."""
    return FailureRow(
        stage=Stage.CARRIERS.value,
        model=NO_MODEL,
        item_id=item_id,
        condition=modality.value,
        replicate=variant,
        reason=error.reason.value,
        message=f"the question could not be read aloud: {error.message}",
        endpoint="",
        attempts=1,
        at=time.time(),
    )
