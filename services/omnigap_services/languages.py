"""Which of a service's languages serves the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from omnigap.vocabulary import primary_language


def serving(asked: str, known: Iterable[str]) -> str | None:
    """The tag that stands for what is asked: the same one, else the first of the same language; None where none does.

    So a list of `pt-BR` serves `pt` and `pt-PT`, and one of `pt` serves `pt-BR`.
    """
    tags = list(known)
    same = (tag for tag in tags if tag.replace("_", "-").lower() == asked.replace("_", "-").lower())
    alike = (tag for tag in tags if primary_language(tag) == primary_language(asked))
    return next(same, None) or next(alike, None)
