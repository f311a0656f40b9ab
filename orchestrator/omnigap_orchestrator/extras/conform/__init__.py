"""The conformance suite: whether a running container, of any author and language, keeps the contract."""

from omnigap_orchestrator.extras.conform.suite import SUITE, Conformance, conform
from omnigap_orchestrator.extras.conform.verdict import Check, CheckResult, Finding, Status

__all__ = ["SUITE", "Check", "CheckResult", "Conformance", "Finding", "Status", "conform"]
