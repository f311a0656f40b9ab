"""Which languages a recogniser can write, told from its characters."""

from __future__ import annotations

from collections.abc import Collection

# First and last letter of a script, how many of them a recogniser needs to write its languages, and these. The Latin
# ones are told by letters that no other of them needs.
_SCRIPTS = (
    ("一", "鿿", 3000, ("zh",)),
    ("ぁ", "ヿ", 120, ("ja",)),
    ("가", "힣", 2000, ("ko",)),
    ("а", "я", 32, ("ru",)),
    ("α", "ω", 24, ("el",)),
    ("क", "ह", 30, ("hi",)),
)
_LATIN = {"en": "", "de": "äöüß", "es": "áéíñóú", "fr": "àâçèéêîôù", "it": "àèéìòù", "pt": "ãâáçéêíõú"}
_ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def languages_of(characters: Collection[str]) -> tuple[str, ...]:
    """BCP-47 tags of the languages whose letters are all there (of Chinese and Korean: enough of them)."""
    found = [tag for tag, letters in _LATIN.items() if all(letter in characters for letter in _ASCII + letters)]
    for first, last, enough, tags in _SCRIPTS:
        if sum(first <= character <= last for character in characters) >= enough:
            found += tags
    return tuple(found)
