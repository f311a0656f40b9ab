"""Registers `conform`: conformance checks of a running service."""

from __future__ import annotations

from omnigap_orchestrator.extension import Command, Extra


class Conform(Extra):
    """Adds one command; runs do not use this extra."""

    name = "conform"
    commands = {  # noqa: RUF012
        "conform": Command(
            "omnigap_orchestrator.extras.conform.commands:conform",
            "Check whether a running service follows the contract.",
            after="verify",
        )
    }
