"""The preflight: one list of findings on a configuration, its items and its services, the same for every command."""

from omnigap_orchestrator.preflight.checks import (
    CHECKS,
    FONT,
    METRICS,
    Check,
    Inputs,
    check_plan,
    read_items,
    resolve_fonts,
    run_preflight,
)
from omnigap_orchestrator.preflight.findings import (
    WHOLE,
    Finding,
    PreflightError,
    Scope,
    Status,
    enforce,
    raise_failed,
    warnings,
)
from omnigap_orchestrator.preflight.services import ServiceCard, check_clip_languages, check_services

__all__ = [
    "CHECKS",
    "FONT",
    "METRICS",
    "WHOLE",
    "Check",
    "Finding",
    "Inputs",
    "PreflightError",
    "Scope",
    "ServiceCard",
    "Status",
    "check_clip_languages",
    "check_plan",
    "check_services",
    "enforce",
    "raise_failed",
    "read_items",
    "resolve_fonts",
    "run_preflight",
    "warnings",
]
