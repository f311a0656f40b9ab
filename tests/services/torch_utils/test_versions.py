"""The supported range of transformers versions."""

from __future__ import annotations

import pytest

from omnigap_services.torch_utils.versions import VersionError, check_transformers, in_range


@pytest.mark.parametrize(
    ("installed", "fits"),
    [
        ("5.16.0", True),
        ("5.16", True),
        ("5.23.4", True),
        ("5.20.0.dev0", True),
        ("5.15.9", False),
        ("5.24.0", False),
        ("4.57.1", False),
        ("6.0.0", False),
        ("unknown", False),
    ],
)
def test_only_versions_from_5_16_to_5_23_are_in_range(installed: str, fits: bool) -> None:
    assert in_range(installed, "5.16", "5.23") is fits


def test_an_unsupported_version_is_refused_with_the_command_to_install_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "4.57.1")
    with pytest.raises(VersionError, match=r"5\.16 to 5\.23, but 4\.57\.1.*'transformers>=5\.16,<5\.24'"):
        check_transformers("hf-chat")
