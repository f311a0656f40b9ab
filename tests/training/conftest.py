"""A tiny WordNet and fortunes, so that the recipe's text can be drawn without Debian's packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

NOUNS = """\
  1 A licence line begins with two spaces.
00000001 03 n 01 sailor 0 001 @ 00000000 n 0000 | a man who serves on a ship; "the sailor waved to his mother"
00000002 15 n 02 London 0 Greater_London 0 001 @i 00000000 n 0000 | the capital of England; "he moved to London"
00000003 03 n 01 kite 0 001 @ 00000000 n 0000 | a toy that flies; "fresh bread smells better than any perfume"
"""
FORTUNES = """\
The old fisherman mended his nets before the tide came in.
%
People who own a dog walk more than people who own a cat.  Nobody knows why.
%
"""


@pytest.fixture(scope="session", autouse=True)
def prose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that MICRO_WHISPER_PROSE names; its lines include two held-out sentences."""
    folder = tmp_path_factory.mktemp("prose")
    wordnet, fortunes = folder / "usr/share/wordnet", folder / "usr/share/games/fortunes"
    wordnet.mkdir(parents=True)
    fortunes.mkdir(parents=True)
    for part in ("noun", "verb", "adj", "adv"):
        (wordnet / f"data.{part}").write_text(NOUNS if part == "noun" else "")
    (fortunes / "wisdom").write_text(FORTUNES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICRO_WHISPER_PROSE", str(folder))
        yield folder
