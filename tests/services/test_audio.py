"""Languages: the tag of a list that matches a requested one."""

from __future__ import annotations

import pytest

from omnigap_services.audio import match_language


@pytest.mark.parametrize(
    ("requested", "known", "expected"),
    [
        ("pt-BR", ["pt-BR"], "pt-BR"),
        ("pt", ["en", "pt-BR"], "pt-BR"),
        ("pt-PT", ["pt-BR"], "pt-BR"),
        ("pt-br", ["pt-PT", "pt-BR"], "pt-BR"),
        ("pt_BR", ["pt"], "pt"),
        ("PT", ["pt"], "pt"),
        ("fr", ["pt-BR", "en"], None),
        ("p", ["pt"], None),
        ("en", [], None),
    ],
)
def test_the_same_tag_is_preferred_to_another_one_of_the_language(
    requested: str, known: list[str], expected: str | None
) -> None:
    assert match_language(requested, known) == expected
