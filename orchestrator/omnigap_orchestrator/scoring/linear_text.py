"""tf-idf and a linear classifier of two classes, as scikit-learn fitted and stored them, in a few lines of numpy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnigap.errors import OmnigapError
from omnigap_orchestrator.scoring.inert_pickle import Inert

_Vector = NDArray[np.float64]
# Settings of TfidfVectorizer of which one value alone is known here: name -> what it must be.
_FIXED: Mapping[str, object] = {
    "analyzer": "word",
    "binary": False,
    "input": "content",
    "preprocessor": None,
    "stop_words": None,
    "strip_accents": None,
    "tokenizer": None,
}


class LinearTextError(OmnigapError):
    """A vectorizer or a classifier with settings or parts that are not known here."""


@dataclass(frozen=True, slots=True)
class TfIdf:
    """Weights of the words of a text, after sklearn.feature_extraction.text.TfidfVectorizer.transform.

    Attributes:
        pattern: finds the words.
        lowercase: before the words are looked for.
        ngrams: the shortest and the longest run of words that counts as one term.
        places: term -> column.
        idf: of each column; ones where none is used.
        sublinear: 1 + log of a count instead of the count.
        norm: "l1", "l2", or None for weights as they are.
    """

    pattern: re.Pattern[str]
    lowercase: bool
    ngrams: tuple[int, int]
    places: Mapping[str, int]
    idf: _Vector
    sublinear: bool
    norm: str | None

    def weigh(self, text: str) -> tuple[list[int], _Vector]:
        """The columns of the terms that a text has, in rising order, and their weights."""
        counts = Counter(self.places[term] for term in self._terms(text) if term in self.places)
        columns = sorted(counts)
        weights = np.array([counts[column] for column in columns], dtype=np.float64)
        if self.sublinear:
            weights = np.log(weights) + 1
        weights = weights * self.idf[columns]
        length = np.sqrt((weights**2).sum()) if self.norm == "l2" else np.abs(weights).sum()
        return columns, weights if self.norm is None or not length else weights / length

    def _terms(self, text: str) -> list[str]:
        words = self.pattern.findall(text.lower() if self.lowercase else text)
        shortest, longest = self.ngrams
        return [" ".join(words[at : at + n]) for n in range(shortest, longest + 1) for at in range(len(words) - n + 1)]


@dataclass(frozen=True, slots=True)
class Linear:
    """A line between two classes, after sklearn.linear_model's `decision_function` and `predict`.

    Attributes:
        slopes: one a column.
        classes: the first where the value is at most 0, the second above it.
    """

    slopes: _Vector
    intercept: float
    classes: tuple[str, str]

    def value(self, columns: Sequence[int], weights: _Vector, last: Sequence[float]) -> float:
        """The decision's value of weights in some columns, zeros elsewhere, and of what stands in the last columns."""
        tail = self.slopes[len(self.slopes) - len(last) :]
        return float(weights @ self.slopes[list(columns)] + np.asarray(last) @ tail + self.intercept)

    def label(self, value: float) -> str:
        return self.classes[int(value > 0)]


def tf_idf_of(read: Inert, file: str) -> TfIdf:
    """What a stored TfidfVectorizer holds.

    Raises:
        LinearTextError: for another object, a setting that is not known here, and parts that do not fit.
    """
    _is_a(read, "TfidfVectorizer", file)
    for name, wanted in _FIXED.items():
        if (found := read.get(name, wanted)) != wanted:
            raise LinearTextError(f"{file} has {name} = {_told(found)}: only {wanted!r} is known here")
    kind = read.get("dtype")
    if not isinstance(kind, type) or not issubclass(kind, Inert) or kind.name != "numpy.float64":
        raise LinearTextError(f"{file} computes in {_told(kind)}: only numpy.float64 is known here")
    inner = read.get("_tfidf")
    if not isinstance(inner, Inert):
        raise LinearTextError(f"{file} was never fitted: it has no idf")
    places = read.get("vocabulary_")
    if not isinstance(places, dict) or sorted(places.values(), key=_number) != list(range(len(places))):
        raise LinearTextError(f"{file} has no vocabulary that numbers its terms from 0")
    norm, pattern, ngrams = inner.get("norm"), read.get("token_pattern"), read.get("ngram_range")
    if norm not in ("l1", "l2", None):
        raise LinearTextError(f"{file} has norm = {_told(norm)}: 'l1', 'l2' and None are known here")
    if not isinstance(pattern, str) or not isinstance(ngrams, tuple) or len(ngrams) != 2:
        raise LinearTextError(f"{file} has token_pattern = {_told(pattern)}, ngram_range = {_told(ngrams)}")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise LinearTextError(f"{file} has token_pattern = {pattern!r}, which is none: {error}") from None
    idf = _idf(inner, len(places), file) if inner.get("use_idf") else np.ones(len(places))
    return TfIdf(
        pattern=compiled,
        lowercase=bool(read.get("lowercase")),
        ngrams=(int(ngrams[0]), int(ngrams[1])),
        places=places,
        idf=idf,
        sublinear=bool(inner.get("sublinear_tf")),
        norm=None if norm is None else str(norm),
    )


def linear_of(read: Inert, columns: int, file: str) -> Linear:
    """What a stored linear classifier holds.

    Args:
        columns: that it must have slopes for.

    Raises:
        LinearTextError: for another object, other than two classes, and slopes that do not fit.
    """
    slopes, intercept, classes = read.get("coef_"), read.get("intercept_"), read.get("classes_")
    if not all(isinstance(part, np.ndarray) for part in (slopes, intercept, classes)):
        raise LinearTextError(f"{file} holds {_told(type(read))}, which is no fitted linear classifier")
    slopes, intercept, classes = np.asarray(slopes), np.asarray(intercept), np.asarray(classes)
    if classes.shape != (2,) or intercept.shape != (1,):
        raise LinearTextError(f"{file} tells {len(classes)} classes apart: two are needed")
    if slopes.shape != (1, columns):
        raise LinearTextError(
            f"{file} has slopes for {slopes.shape[-1]} columns, and the vectorizer beside it makes {columns}: "
            "take both from the release that VoiceBench pins (docs/judge.md)"
        )
    first, second = map(str, classes)
    return Linear(slopes[0].astype(np.float64), float(intercept[0]), (first, second))


def _idf(inner: Inert, terms: int, file: str) -> _Vector:
    """Inverse document frequencies: an array, or, before scikit-learn 1.5, the diagonal of a sparse matrix."""
    found, matrix = inner.get("idf_"), inner.get("_idf_diag")
    if found is None and isinstance(matrix, Inert):
        found, diagonal = matrix.get("data"), np.arange(terms)
        if not np.array_equal(np.asarray(matrix.get("indices")), diagonal):
            raise LinearTextError(f"{file} has an idf matrix that is not diagonal")
    if not isinstance(found, np.ndarray) or found.shape != (terms,):
        raise LinearTextError(f"{file} has no idf for each of its {terms} terms")
    return found.astype(np.float64)


def _is_a(read: Inert, wanted: str, file: str) -> None:
    if not read.name.endswith(f".{wanted}"):
        raise LinearTextError(f"{file} holds {read.name}, where a {wanted} is needed")


def _told(value: object) -> str:
    if isinstance(value, Inert):
        return value.name
    if isinstance(value, type) and issubclass(value, Inert):
        return value.name
    return repr(value)


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1
