"""Which of a service's languages serves the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterable


def primary(tag: str) -> str:
    """The language of a BCP-47 tag without script and region: `pt` of `pt-BR`."""
    return tag.replace("_", "-").split("-")[0].lower()


def serving(asked: str, known: Iterable[str]) -> str | None:
    """The tag that stands for what is asked: the same one, else the first of the same language; None where none does.

    So a list of `pt-BR` serves `pt` and `pt-PT`, and one of `pt` serves `pt-BR`.
    """
    tags = list(known)
    same = (tag for tag in tags if tag.replace("_", "-").lower() == asked.replace("_", "-").lower())
    alike = (tag for tag in tags if primary(tag) == primary(asked))
    return next(same, None) or next(alike, None)
