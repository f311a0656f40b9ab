"""The conformance suite: whether a running container, of any author and language, keeps the contract."""

from omnigap_orchestrator.extras.conform.check import Check, CheckResult, Finding, Status
from omnigap_orchestrator.extras.conform.suite import SUITE, Conformance, conform

__all__ = ["SUITE", "Check", "CheckResult", "Conformance", "Finding", "Status", "conform"]
