"""The sections of the run itself: `[run]`, `[network]` and `[report]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from omnigap.channel import check_proxy
from omnigap_orchestrator.config.controls import HEAR_PROMPT, READ_PROMPT, Controls
from omnigap_orchestrator.config.fields import ALL_CONDITIONS, Conditions, FilePath, Text
from omnigap_orchestrator.validation import StrictModel


class RunConfig(StrictModel):
    """What is asked, and where it is kept.

    Attributes:
        dir: the run's folder; None: `runs/NAME` after the configuration file's name.
        seed: sent to models whose own decoding names none; resampling has `analysis.bootstrap_seed`.
        replicates: answers per model, item and condition.
        conditions: which of the six; a model's own list narrows it further.
        controls: control cells beside the planned ones; docs/controls.md tells what each is for.
        hear_prompt: typed beside a spoken question in the first pass of a two-pass control.
        read_prompt: typed beside a shown question there.
        system_prompt: sent in all conditions alike; a model's own takes its place.
        request_timeout_s: of one call, from sending to the last byte.
        max_retries: further tries after the first, of faults that can pass.
        patience_s: how long a service may be away before its open cells are left pending.
    """

    dir: FilePath | None = None
    seed: int = Field(default=0, ge=0, lt=2**31)
    replicates: int = Field(default=1, ge=1, le=1_000)
    conditions: Conditions = ALL_CONDITIONS
    controls: Controls = ()
    hear_prompt: Text = HEAR_PROMPT
    read_prompt: Text = READ_PROMPT
    system_prompt: str = ""
    request_timeout_s: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    max_retries: int = Field(default=3, ge=0, le=100)
    patience_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)


class NetworkConfig(StrictModel):
    """How services are reached.

    Attributes:
        proxy: `http://HOST:PORT` of an HTTP proxy that endpoints are called through, but for loopback ones; empty:
            directly, whatever the environment says.
    """

    proxy: Annotated[str, AfterValidator(check_proxy)] = ""


class ReportConfig(StrictModel):
    """How the report is written.

    Attributes:
        embed_mb: megabytes of media inside report.html; what is beyond is linked.
        single_file: all media inside, however large.
    """

    embed_mb: float = Field(default=50.0, ge=0, allow_inf_nan=False)
    single_file: bool = False
