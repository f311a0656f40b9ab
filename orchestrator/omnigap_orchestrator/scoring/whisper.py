"""Word errors under Whisper's normalisers (arXiv 2212.04356, appendix C), by which most papers report WER.

They only measure: scores, flags and `word_errors` use omnigap's own normaliser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.metrics import WordErrors, count_errors

# Chinese, Japanese, Thai, Lao and Burmese: the paper counts their characters, and words of all others, Korean too.
_BY_CHARACTER = frozenset(("zh", "cmn", "yue", "ja", "th", "lo", "my"))


def whisper_word_errors(reference: str, hypothesis: str, language: str = "en") -> WordErrors:
    """Word errors of a hypothesis against a reference, both through the normaliser that Whisper uses for the language.

    English: EnglishTextNormalizer; other languages: BasicTextNormalizer, by character in `_BY_CHARACTER`. Both remove
    what is in brackets.

    Args:
        reference: what should have been said: the model's own text, or the gold answer.
        hypothesis: the transcript.
        language: BCP-47 tag; its region does not matter.
    """
    primary = primary_language(language)
    try:
        words = [_words(text, primary) for text in (reference, hypothesis)]
    except (ValueError, AssertionError):
        # The English normaliser fails on numbers of more than 4,300 digits. The basic one then reads both texts.
        words = [_words(text, "") for text in (reference, hypothesis)]
    return count_errors(*words)


@lru_cache(maxsize=1 << 14)
def _text(text: str, primary: str) -> str:
    return _normaliser(primary == "en", primary in _BY_CHARACTER)(_without_long_searches(text))


_SPACES = re.compile(r"\s+")
# Opening brackets, the brackets that close them, and what the normalisers remove.
_BRACKETS = (("<[", ">]", re.compile(r"[<\[][^>\]]*[>\]]")), ("(", ")", re.compile(r"\(([^)]+?)\)")))
_OTHER_SYMBOL = "{"


def _without_long_searches(text: str) -> str:
    """The same text for the normalisers, in which their patterns search no run of characters again and again.

    From each space they search for an apostrophe, and from each opening bracket for a closing one: a model that repeats
    "(" or line breaks would take minutes. What is in brackets is removed as they remove it. Brackets that nothing
    closes become spaces there, as all symbols do, and spaces are joined in the end anyway.
    """
    for opening, closing, enclosed in _BRACKETS:
        last = max(text.rfind(bracket) for bracket in closing)
        rest = text[last + 1 :].translate(dict.fromkeys(map(ord, opening), _OTHER_SYMBOL))
        text = enclosed.sub("", text[: last + 1]) + rest
    return _SPACES.sub(" ", text)


def _words(text: str, primary: str) -> list[str]:
    return _text(text, primary).split()


@cache
def _normaliser(english: bool, by_character: bool) -> Callable[[str], str]:
    # Imported late: most commands compute no word errors.
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    made: Callable[[str], str] = EnglishTextNormalizer() if english else BasicTextNormalizer(split_letters=by_character)
    return made
