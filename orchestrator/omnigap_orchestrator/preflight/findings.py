"""Findings of the preflight, the scope that they apply to, and how a command reacts to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from omnigap.errors import OmnigapError
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item


@dataclass(frozen=True, slots=True)
class PreflightScope:
    """What a command does, which decides the checks that can stop it; by default everything that a run does.

    Attributes:
        models: names; empty means all.
        conditions: empty means all of the configuration.
        finds_carriers: looks up stored carriers, whose keys contain the digest of the font.
        makes_carriers: draws and synthesises questions.
        generates, transcribes, judges, scores: the stages that the command runs.
        connects: connects to services after the preflight, and then checks what depends on them.
    """

    models: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    finds_carriers: bool = True
    makes_carriers: bool = True
    generates: bool = True
    transcribes: bool = True
    judges: bool = True
    scores: bool = True
    connects: bool = False

    @property
    def plans_cells(self) -> bool:
        """Whether the command works on cells, whose metrics must fit their items."""
        return self.generates or self.makes_carriers or self.transcribes or self.judges or self.scores

    def conditions_of(self, config: Config) -> tuple[Condition, ...]:
        """The planned conditions within this scope."""
        return tuple(c for c in config.run.conditions if not self.conditions or c in self.conditions)

    def drawn(self, config: Config, items: Iterable[Item]) -> list[Item]:
        """The items whose question omnigap draws as an image; the others have their own image."""
        if not any(condition.input is Modality.IMAGE for condition in self.conditions_of(config)):
            return []
        return [item for item in items if Modality.IMAGE not in item.carriers]


FULL_SCOPE = PreflightScope()
"""Everything that a run does, without connecting to services: the scope of `plan` and `doctor`."""


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: name of the check, as `doctor` prints it.
        message: what was found; for a warning or failure, also the key to change and a valid value.
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
    """A command would fail; the message lists the failed findings, one per line.

    Attributes:
        findings: the failed findings.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        # Several checks may report the same cause in the same words.
        super().__init__("\n".join(dict.fromkeys(finding.message for finding in self.findings)))


def raise_failed(findings: Iterable[Finding]) -> None:
    """Raises PreflightError if a finding is failed."""
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    if failed:
        raise PreflightError(failed)


def warnings(findings: Iterable[Finding]) -> list[str]:
    """The messages of the warnings without duplicates, in the order of the checks."""
    return list(dict.fromkeys(finding.message for finding in findings if finding.status is Status.WARNING))


def enforce(findings: Iterable[Finding], note: Callable[[str], None]) -> None:
    """Stops a command on a failed finding; otherwise notes each warning.

    Raises:
        PreflightError: a finding is failed. No warning is noted then.
    """
    # A list, since it is read twice; failures first, so that a stopped command prints only its error.
    found = list(findings)
    raise_failed(found)
    for message in warnings(found):
        note(message)


def softened(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of a check that does not apply to the scope: failed ones as warnings, without the others."""
    return [replace(found, status=Status.WARNING) for found in findings if found.status is Status.FAILED]
