"""Normalised text that keeps its clauses, and the explicit final statement of an answer, by language."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from omnigap.vocabulary import primary_language
from omnigap_orchestrator.scoring.normalise import normalise
from omnigap_orchestrator.scoring.normalise.korean import written_dates
from omnigap_orchestrator.scoring.reading.languages.words import FINAL, any_of

CLAUSE = "|"
"""Separates clauses in marked text; sentences are separated by two."""

WIDE = "぀-ゟ㐀-䶿一-鿿豈-﫿"
"""Hiragana and Han: characters that marked text writes without spaces."""

UNSPACED = ("zh", "ja")
"""Languages whose marked text has no spaces between such characters."""

_MONTH = r"(?i:jan|feb|m[aä]r|apr|mai|jun|jul|aug|sep|okt|nov|dez)"
# A point ends a sentence, but not in 3.5, "St. Petersburg" or "3. Oktober".
_SENTENCE = re.compile(
    # After a word of Latin letters, unless the sentence goes on: "1 janv. 2000".
    r"(?<=[^\W\d_]{3})\.+(?=\s+[^a-zß-ÿ\d\s]|\s*$|[\"'”’)\]])|"
    rf"(?<=\d)[.!]+(?=\s+(?!{_MONTH})\S|\s*$)|"
    r"[。！？!?…]+|\.{2,}|\n+|(?<=[가-힣])\.(?=\s|$)|(?<=[A-Za-z\d)]\b)\.(?=\s*$)"
)
_CLAUSE = re.compile(r"(?<!\d),|,(?!\d)|[;:、，；：()（）\"“”«»「」『』]|\s[-–—]+\s|—|–(?!\s*\d)")
_LIST_MARK = re.compile(r"(?m)^\s*(?:\d{1,2}[.)]|[-*•])\s+(?=\S)")
_TIGHT_RANGE = re.compile(
    r"(?<![\d./-])(\d{1,6}(?:[.,]\d+)?)(?:\s*[~∼～〜–—]\s*|-)(\d{1,6}(?:[.,]\d+)?)(?![\d./=-]|\s*=)"
)
_SLASH = re.compile(r"(?<=[^\W\d_]{2})\s*/\s*(?=[^\W\d_]{2})")
_RANGE_WORD = {"de": "bis", "fr": "à", "es": "a", "it": "a", "pt": "a", "zh": "到", "ja": "から", "ko": "내지"}
_OR_WORD = {"de": "oder", "fr": "ou", "es": "o", "it": "o", "pt": "ou", "zh": "或", "ja": "または", "ko": "또는"}
# A word of `words.CONCLUSION`, since the number after it is a result.
_EQUALS = {
    "de": "ergibt", "fr": "donc", "es": "entonces", "it": "quindi", "pt": "logo",
    "zh": "等于", "ja": "つまり", "ko": "결국",
}  # fmt: skip
_SQUEEZED = re.compile(rf"(?<=[{WIDE}]) (?=[{WIDE}])")


@lru_cache(maxsize=1 << 13)
def marked(text: str, language: str) -> str:
    """Normalised text with ` | ` between clauses and ` || ` between sentences.

    A sentence that asks is left out if another follows: "París? No, Lyon" asserts only its second sentence. Ranges and
    slashes between words become words: 2-4 is "2 bis 4". Chinese and Japanese are written without spaces.
    """
    primary = primary_language(language)
    text = unicodedata.normalize("NFKC", text) if primary in (*UNSPACED, "ko") else text
    if primary == "ko":
        text = written_dates(text)
    if len(_LIST_MARK.findall(text)) > 1:
        text = _LIST_MARK.sub("", text)
    text = _TIGHT_RANGE.sub(rf"\1 {_RANGE_WORD[primary]} \2", text)
    text = text.replace("=", f" {_EQUALS[primary]} ")
    text = _SLASH.sub(f" {_OR_WORD[primary]} ", text)
    sentences: list[tuple[str, bool]] = []
    start = 0
    for match in _SENTENCE.finditer(text):
        sentences.append((text[start : match.start()], any(c in "?？" for c in match[0])))
        start = match.end()
    sentences.append((text[start:], False))
    sentences = [(part, asks) for part, asks in sentences if part.strip()]
    if any(not asks for _, asks in sentences):
        last = max(i for i, (_, asks) in enumerate(sentences) if not asks)
        sentences = [(part, asks) for i, (part, asks) in enumerate(sentences) if not asks or i > last]
    result = " || ".join(
        " | ".join(form for clause in _CLAUSE.split(part) if (form := normalise(clause, language)))
        for part, _ in sentences
    )
    return squeezed(result) if primary in UNSPACED else result


def squeezed(text: str) -> str:
    """Normalised Chinese or Japanese without spaces between hiragana and Han."""
    return _SQUEEZED.sub("", text)


@cache
def _final(primary: str) -> re.Pattern[str]:
    start = "" if primary in (*UNSPACED, "ko") else r"(?<!\w)"
    return re.compile(rf"{start}{any_of(FINAL, primary)}", re.IGNORECASE)


_END = re.compile(r"[.!?](?=\s|$)|[。！？\n]")


def final_statement(text: str, language: str) -> str | None:
    """The rest of the sentence after the last words that introduce the final answer; None without such words.

    "Das ergibt 7. Die Antwort ist also 12." -> "12"
    """
    primary = primary_language(language)
    text = unicodedata.normalize("NFKC", text)
    for match in reversed(list(_final(primary).finditer(text))):
        rest = text[match.end() :].lstrip(" \t:：,，、*")
        end = next((m for m in _END.finditer(rest) if not _inside_number(rest, m)), None)
        statement = (rest[: end.start()] if end else rest).strip()
        if statement:
            return statement
    return None


def _inside_number(text: str, point: re.Match[str]) -> bool:
    """Whether a point belongs to a day: "3. Oktober"."""
    before = text[: point.start()]
    return point[0] == "." and before[-1:].isdigit() and bool(text[point.end() :].strip()) and len(before) < 3
