"""Registers `conform`: checks of a running service against the contract."""

from __future__ import annotations

from omnigap_orchestrator.extension import Command, Extra


class Conform(Extra):
    """One command; a run does not use it."""

    name = "conform"
    commands = {  # noqa: RUF012
        "conform": Command(
            "omnigap_orchestrator.extras.conform.commands:conform",
            "Check a running service, written by anyone, against the contract.",
            after="verify",
        )
    }
