"""Judged pairs: texts that say the same have one form under our normaliser, others do not.

Run `python -m tests.orchestrator.scoring.normalise.test_judged_pairs` for the table of docs/scoring.md. It needs
whisper-normalizer, which the tests do not.
"""

import re
from collections.abc import Callable

import pytest

from omnigap_orchestrator.scoring import normalise
from tests.orchestrator.scoring.normalise.judged_pairs import DIFFERENT, SAME


@pytest.mark.parametrize(("one", "other"), [pair for pairs in SAME.values() for pair in pairs])
def test_same_content_has_one_form(one: str, other: str) -> None:
    assert normalise(one, "en") == normalise(other, "en")


@pytest.mark.parametrize(("one", "other"), [pair for pairs in DIFFERENT.values() for pair in pairs])
def test_different_content_has_two_forms(one: str, other: str) -> None:
    assert normalise(one, "en") != normalise(other, "en")


def _plain(text: str) -> str:
    """Lower case without punctuation, as jiwer's plain transforms give."""
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())


def _agreement(form: Callable[[str], str], kind: str) -> int:
    return sum(form(one) == form(other) for one, other in SAME[kind]) + sum(
        form(one) != form(other) for one, other in DIFFERENT[kind]
    )


if __name__ == "__main__":
    from whisper_normalizer.english import EnglishTextNormalizer

    forms: dict[str, Callable[[str], str]] = {"ours": normalise, "Whisper's": EnglishTextNormalizer(), "plain": _plain}
    print("| kind | pairs | " + " | ".join(forms) + " |")
    total = [0] * (len(forms) + 1)
    for kind in SAME:
        row = [len(SAME[kind]) + len(DIFFERENT[kind]), *(_agreement(form, kind) for form in forms.values())]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(f"| {kind} | " + " | ".join(map(str, row)) + " |")
    print("| all | " + " | ".join(map(str, total)) + " |")
