"""Which transformers the adapters were written for: another one is refused at the start, not half-way through a run."""

from __future__ import annotations

from importlib import metadata

from packaging.version import InvalidVersion, Version

from omnigap.errors import OmnigapError

OLDEST = "5.16"
NEWEST = "5.23"
"""First and last minor version that the adapters were read against; every patch release of them counts."""


class VersionError(OmnigapError, RuntimeError):
    """An installed library is older or newer than what an adapter knows; the message says what to install."""


def check_transformers(service: str, oldest: str = OLDEST, newest: str = NEWEST) -> str:
    """The installed version of transformers.

    Raises:
        VersionError: outside of `oldest` to `newest` (minor versions, both included).
    """
    installed = metadata.version("transformers")
    if not in_range(installed, oldest, newest):
        raise VersionError(
            f"service {service} works with transformers {oldest} to {newest}, but {installed} is installed:"
            f" pip install 'transformers>={oldest},<{_after(newest)}'"
        )
    return installed


def in_range(installed: str, oldest: str, newest: str) -> bool:
    """Whether a version lies in the range of minor versions; a development version counts as its release."""
    try:
        release = Version(installed).release
    except InvalidVersion:
        return False
    return Version(oldest).release[:2] <= release[:2] <= Version(newest).release[:2]


def _after(minor: str) -> str:
    major, number = Version(minor).release[:2]
    return f"{major}.{number + 1}"
