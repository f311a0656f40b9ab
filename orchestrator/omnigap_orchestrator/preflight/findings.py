"""What a check found, and what a command does with a list of findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from omnigap.errors import OmnigapError


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: the name of the check, as `doctor` prints it.
        message: what was found; where it is not ok, also the key to change and what to write there.
    """

    check: str
    status: Status
    message: str

    @classmethod
    def ok(cls, check: str, message: str) -> Finding:
        return cls(check, Status.OK, message)

    @classmethod
    def warning(cls, check: str, message: str) -> Finding:
        return cls(check, Status.WARNING, message)

    @classmethod
    def failed(cls, check: str, message: str) -> Finding:
        return cls(check, Status.FAILED, message)


class PreflightError(OmnigapError):
    """A call would fail before or while it asks its services.

    The message is that of every failed finding, one a line.

    Attributes:
        findings: the failed ones.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(dict.fromkeys(finding.message for finding in self.findings)))


def raise_failed(findings: Iterable[Finding]) -> None:
    """Raises PreflightError where a finding is failed."""
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    if failed:
        raise PreflightError(failed)


def warnings(findings: Iterable[Finding]) -> list[str]:
    """The messages of the warnings, each once, in the order of the checks."""
    return list(dict.fromkeys(finding.message for finding in findings if finding.status is Status.WARNING))


def enforce(findings: Iterable[Finding], note: Callable[[str], None]) -> None:
    """Stops a call on a failed finding, else notes each warning.

    Raises:
        PreflightError: where a finding is failed; nothing is noted then.
    """
    found = list(findings)
    raise_failed(found)
    for message in warnings(found):
        note(message)


def softened(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of a check whose subject a call does not use: what fails elsewhere is a warning here.

    Lesser findings are left out: they concern a work that this call does not do.
    """
    return [replace(found, status=Status.WARNING) for found in findings if found.status is Status.FAILED]
