"""Known faults as one clear message and exit code 1, Ctrl-C as 130; anything else is a bug and shows its traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

_P = ParamSpec("_P")
_T = TypeVar("_T")

NOT_WHOLE = 3
"""Exit code of a run that ended well but holds pending or failed cells."""
INTERRUPTED = 130


def friendly(command: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turns the errors that name their own mend into `Error: ...`, and Ctrl-C at any moment into exit code 130."""

    @functools.wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return command(*args, **kwargs)
        except (Exception, BaseExceptionGroup) as error:
            cause = _known_cause(error)
            if cause is None:
                raise
            raise click.ClickException(str(cause)) from error
        except KeyboardInterrupt:
            # A command says more where it knows what is kept; this is for what comes before and after: loading, tables.
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    return wrapped


def _known_cause(error: BaseException) -> BaseException | None:
    from omnigap.errors import ContractError
    from omnigap_orchestrator.analysis.scores.pairs import ResultsError
    from omnigap_orchestrator.calibration.foils import CalibrationError
    from omnigap_orchestrator.calibration.labels import LabelsError
    from omnigap_orchestrator.carriers import CarrierError, StoreError
    from omnigap_orchestrator.config import ConfigError
    from omnigap_orchestrator.dispatch import ServiceError
    from omnigap_orchestrator.fleet import FleetError
    from omnigap_orchestrator.foreign import TableError
    from omnigap_orchestrator.items import ItemError
    from omnigap_orchestrator.journal import JournalError
    from omnigap_orchestrator.judging import RubricError
    from omnigap_orchestrator.pipeline.failures import first_error
    from omnigap_orchestrator.pipeline.folder import FolderError
    from omnigap_orchestrator.pipeline.scope import ScopeError
    from omnigap_orchestrator.plan import PlanError
    from omnigap_orchestrator.preflight import PreflightError
    from omnigap_orchestrator.presets import PresetError

    known = (
        CalibrationError,
        CarrierError,
        ConfigError,
        ContractError,
        FleetError,
        FolderError,
        ItemError,
        JournalError,
        LabelsError,
        PlanError,
        PreflightError,
        PresetError,
        ScopeError,
        ResultsError,
        RubricError,
        ServiceError,
        StoreError,
        TableError,
    )
    cause = first_error(error)
    return cause if isinstance(cause, known) else None
