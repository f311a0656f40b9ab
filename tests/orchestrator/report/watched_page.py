"""A Chromium page that records what it should not have done, for the tests that open a report."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.async_api import Page


@dataclass
class Watched:
    """A page with what its console said and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
