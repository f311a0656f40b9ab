"""Known faults as one clear message and exit code 1, Ctrl-C as 130; anything else is a bug and shows its traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from omnigap.errors import OmnigapError, first_error

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
            cause = first_error(error)
            if not isinstance(cause, OmnigapError):
                raise
            raise click.ClickException(str(cause)) from error
        except KeyboardInterrupt:
            # A command says more where it knows what is kept; this is for what comes before and after: loading, tables.
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    return wrapped
