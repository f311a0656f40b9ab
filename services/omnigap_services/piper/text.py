"""Which texts a Piper voice can speak, and the form in which its phonemizer takes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from omnigap.errors import ContractError, quoted
from omnigap.vocabulary import Reason, primary_language

# Scripts by the first word of their characters' names in Unicode, and the languages that are written in them. Languages
# that are in none of them are taken as written in Latin letters.
_LANGUAGES = {
    "ARABIC": "ar ckb fa ps sd ug ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "BOPOMOFO": "cmn yue zh",
    "CJK": "cmn ja ko yue zh",
    "CYRILLIC": "ba be bg kk ky mk mn ru sr tg tt uk",
    "DEVANAGARI": "hi mr ne sa",
    "ETHIOPIC": "am ti",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he iw yi",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo dz",
}
_SCRIPTS = {script: frozenset(languages.split()) for script, languages in _LANGUAGES.items()}

# Read by their names, such as "slightly smiling face".
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u266c\u2670-\u27bf\u2b00-\u2bff\ufe0f\u200d]")

# Phonemes of one pass of the model. Its attention grows with the square, and training sentences are shorter.
_LONGEST = 400
_BREAKS = (frozenset(".!?;:"), frozenset(","), frozenset(" "))


def spoken_text(text: str, voice: str, language: str) -> str:
    """The text as the phonemizer takes it.

    Args:
        voice: its name, for messages.
        language: BCP-47 tag of the voice.

    Raises:
        ContractError: BAD_REQUEST for a text without anything to speak, and for one that is mainly written in a script
            that the voice's language is not written in, which espeak-ng reads as names of letters.
    """
    if not any(
        not character.isspace() and unicodedata.category(character) != "Cf" for character in _EMOJI.sub("", text)
    ):
        raise nothing_to_speak(text)
    letters = [character for character in text if character.isalpha()]
    foreign = [character for character in letters if _is_foreign(character, primary_language(language))]
    if 2 * len(foreign) > len(letters):
        raise ContractError(
            Reason.BAD_REQUEST,
            f"the voice {voice} speaks {language}, which is not written in the letters of {quoted(text)}: name a voice"
            " of the text's language",
        )
    # piper-tts takes [[...]], which is also a nested list or a matrix, as phonemes, and its espeak-ng ends at a zero.
    return re.sub(r"\[(?=\[)", "[ ", text.replace("\0", " "))


def nothing_to_speak(text: str) -> ContractError:
    """The error of a text that gives no sound."""
    return ContractError(Reason.BAD_REQUEST, f"the text {quoted(text)} contains nothing to speak: send words")


def _is_foreign(character: str, language: str) -> bool:
    script = unicodedata.name(character, "").partition(" ")[0]
    if script == "LATIN":
        # Names and quotations in Latin letters occur in texts of every language.
        return False
    return script in _SCRIPTS and language not in _SCRIPTS[script]


def pieces(phonemes: list[str]) -> Iterator[list[str]]:
    """A sentence's phonemes in pieces of at most 400, cut at the last pause in reach, else between words."""
    while len(phonemes) > _LONGEST:
        end = _LONGEST
        for marks in _BREAKS:
            # Not in the first half, which would make many short pieces.
            if cuts := [i + 1 for i in range(_LONGEST // 2, _LONGEST) if phonemes[i] in marks]:
                end = cuts[-1]
                break
        yield phonemes[:end]
        phonemes = phonemes[end:]
    if phonemes:
        yield phonemes
