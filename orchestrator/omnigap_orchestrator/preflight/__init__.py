"""The preflight: checks of a configuration, its items and its services, the same for every command."""

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
    FULL_SCOPE,
    Finding,
    PreflightError,
    PreflightScope,
    Status,
    enforce,
    raise_failed,
    warnings,
)
from omnigap_orchestrator.preflight.services import ServiceCard, check_clip_languages, check_services

__all__ = [
    "CHECKS",
    "FONT",
    "FULL_SCOPE",
    "METRICS",
    "Check",
    "Finding",
    "Inputs",
    "PreflightError",
    "PreflightScope",
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
