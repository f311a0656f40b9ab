"""Which language of a list serves the one that is asked for."""

from __future__ import annotations

import pytest

from omnigap_services.audio import serving


@pytest.mark.parametrize(
    ("asked", "known", "found"),
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
def test_the_same_tag_serves_best_and_else_one_of_the_same_language(
    asked: str, known: list[str], found: str | None
) -> None:
    assert serving(asked, known) == found
