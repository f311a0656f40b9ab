"""Which control cells a run plans, as `[run] controls` and `--controls` name them, and the words of a first pass."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from omnigap.vocabulary import Control
from omnigap_orchestrator.config.fields import as_list

HEAR_PROMPT = "Transcribe the recording word for word. Write only what is said, and do not answer it."
READ_PROMPT = "Transcribe the text in the image word for word. Write only what is written there, and do not answer it."


def _in_order(controls: tuple[Control, ...]) -> tuple[Control, ...]:
    """Each once, however they are listed: the order of a plan does not depend on it."""
    return tuple(control for control in Control if control in controls)


Controls = Annotated[
    tuple[Annotated[Control, Field(strict=False)], ...],
    BeforeValidator(as_list),
    Field(strict=False),
    AfterValidator(_in_order),
]
