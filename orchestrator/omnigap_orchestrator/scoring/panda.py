"""PANDA's verdict on a short answer (arXiv 2402.11161), by the user's own copy of its classifier.

The rules were read from PEDANT.evaluate of qa_metrics 0.2.17, the release that VoiceBench pins, for a list of
references, and written anew: an answer is right where a reference stands in it; else the classifier is asked, which
looks at the words of answer, reference and question (tf-idf) and at how many words answer and reference share.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap_orchestrator.scoring.inert_pickle import InertPickleError, read_inert
from omnigap_orchestrator.scoring.linear_text import Linear, LinearTextError, TfIdf, linear_of, tf_idf_of

CLASSIFIER, VECTORIZER = "lr_classifier", "tf-idf_vectorizer"
_RIGHT = "correct"
_SHARED = 3
"""Columns after those of the words: F1, precision and recall of the words that answer and reference share."""
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class PandaError(OmnigapError):
    """The classifier can't be had; the message says what mends it."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Panda:
    """The classifier with all that it needs.

    Attributes:
        digest: of its two files and of the package that spells contractions out: of all that its verdicts follow from.
    """

    digest: str
    _words: TfIdf
    _line: Linear
    _expand: Callable[[str], str]
    _without_articles: Callable[[str], str]

    @classmethod
    def load(cls, folder: Path) -> Panda:
        """Reads the files of a folder: lr_classifier and tf-idf_vectorizer, or, where one is not there, its `.pkl`.

        Nothing that the files name is run.

        Raises:
            PandaError: where a file or a package is missing, and for files that are not the classifier's.
        """
        contractions, regex = _package("contractions"), _package("regex")
        try:
            vectorizer, classifier = (_file(folder, name) for name in (VECTORIZER, CLASSIFIER))
            words = tf_idf_of(read_inert(_bytes(vectorizer), str(vectorizer)), str(vectorizer))
            read = read_inert(_bytes(classifier), str(classifier))
            line = linear_of(read, len(words.places) + _SHARED, str(classifier))
        except (InertPickleError, LinearTextError) as error:
            raise PandaError(str(error)) from error
        if _RIGHT not in line.classes:
            raise PandaError(f"{classifier} tells {' from '.join(line.classes)}: one of them has to be {_RIGHT!r}")
        # Not Python's `re`: there an accent of its own ends a word, and the letter before it would be an article.
        article = regex.compile(r"\b(a|an|the)\b")
        return cls(panda_digest(folder), words, line, contractions.fix, lambda text: str(article.sub(" ", text)))

    def judge(self, references: Sequence[str], response: str, question: str) -> bool:
        """Whether an answer agrees with any of the references. No references: with none.

        A reference of nothing but articles and punctuation stands in every answer, as in the original.
        """
        said = self._bare(response)
        wanted = [self._bare(reference) for reference in references]
        if any(reference in said for reference in wanted):
            return True
        asked = self._expand(self._bare(question))
        return any(self._line.label(self._value(reference, said, asked)) == _RIGHT for reference in wanted)

    def value(self, reference: str, response: str, question: str) -> float:
        """The classifier's decision value, whether or not the reference stands in the answer."""
        return self._value(self._bare(reference), self._bare(response), self._expand(self._bare(question)))

    def _value(self, wanted: str, said: str, asked: str) -> float:
        columns, weights = self._words.weigh(f"[CLS] {said} [SEP] {wanted} [SEP] {asked} [SEP]")
        return self._line.value(columns, weights, self._shared(said, wanted))

    def _shared(self, said: str, wanted: str) -> tuple[float, float, float]:
        """F1, precision and recall over the sets of words, contractions spelt out."""
        ours, theirs = (set(self._bare(self._expand(text)).split()) for text in (said, wanted))
        both = len(ours & theirs)
        precision = both / len(ours) if ours else 0.0
        recall = both / len(theirs) if theirs else 0.0
        f1 = 2 * precision * recall / (precision + recall) if both else 0.0
        return f1, precision, recall

    def _bare(self, text: str) -> str:
        """Lower case, no ASCII punctuation, no articles, single blanks."""
        joined = " ".join(text.lower().translate(_NO_PUNCTUATION).split())
        return " ".join(self._without_articles(joined).split())


def panda_digest(folder: Path) -> str:
    """The digest that `Panda.load` would give the files of a folder, without reading what they hold.

    Raises:
        PandaError: where a file or a package is missing.
    """
    _package("contractions")
    hashes = [hashlib.sha256(_bytes(_file(folder, name))).hexdigest() for name in (CLASSIFIER, VECTORIZER)]
    return digest_of(["panda", *hashes, metadata.version("contractions")])


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise PandaError(f"PANDA needs the package {name} ({error}): pip install 'omnigap[panda]'") from error


def _file(folder: Path, name: str) -> Path:
    names = (name, f"{name}.pkl")
    found = next((path for path in _paths(folder, names) if path.is_file()), None)
    if found is None:
        raise PandaError(
            f"{folder} holds neither {' nor '.join(names)}: give the folder of the two files of PANDA's classifier, "
            f"{CLASSIFIER} and {VECTORIZER} (docs/judge.md tells where they come from)"
        )
    return found


def _paths(folder: Path, names: Iterable[str]) -> Iterable[Path]:
    return (folder / name for name in names)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PandaError(f"{path} can't be read: {error.strerror}") from error
