"""What a preflight finds, what a call's scope makes of it, and how a command reacts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from omnigap.errors import OmnigapError
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the plan a call works on; by default all of it.

    Attributes:
        models: names; empty means all.
        conditions: empty means all of the configuration.
        finds_carriers: looks up the carriers that were made, whose keys contain the digest of the font.
        makes_carriers: draws questions and has them spoken.
        generates, transcribes, judges, scores: the stages that the call runs.
        connects: services are connected to after the preflight: what only they can say is no fault before.
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
        """Whether the call works on cells, whose metrics must fit their items."""
        return self.generates or self.makes_carriers or self.transcribes or self.judges or self.scores

    def conditions_of(self, config: Config) -> tuple[Condition, ...]:
        """The conditions that the configuration plans and this call covers."""
        return tuple(c for c in config.run.conditions if not self.conditions or c in self.conditions)

    def drawn(self, config: Config, items: Iterable[Item]) -> list[Item]:
        """The items whose question is shown as an image that omnigap draws; others have an image of their own."""
        if not any(condition.input is Modality.IMAGE for condition in self.conditions_of(config)):
            return []
        return [item for item in items if Modality.IMAGE not in item.carriers]


WHOLE = Scope()
"""All that a run does, before any service is connected to: what `plan` and `doctor` check."""


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
