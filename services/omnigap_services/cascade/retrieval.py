"""Looking a question up among the facts, in a way that survives misheard words.

A question's words are matched with a fact's words by spelling (edit distance) and by sound (Metaphone keys), each
weighted by how rare the fact's word is (the IDF of BM25); how much of the fact the question covers, and the shared
character trigrams of both (which survive words split or joined by an ASR), count too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import jellyfish
import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from omnigap_services.cascade.knowledge import Fact
from omnigap_services.cascade.words import STOP_WORDS, words_of

Scores = npt.NDArray[np.float64]

# Tuned on spoken and typed paraphrases that are no items (tests/services/cascade/paraphrases.jsonl).
_BY_QUESTION, _BY_FACT, _BY_TRIGRAMS = 0.60, 0.15, 0.25
_SAME_SOUND = 0.92
_MIN_SIMILARITY = 0.60
_UNKNOWN_WORD = 0.60
_WRONG_TYPE = 0.80
_NAMED_IN_QUESTION = 0.50


@dataclass(frozen=True, slots=True)
class Match:
    """A fact and how well it fits the question, 0 to 1."""

    fact: Fact
    score: float


class Retriever:
    """An index over facts; pure and deterministic."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = tuple(facts)
        texts = [_content(f"{fact.text} {fact.answer}") for fact in facts]
        counts = Counter(word for text in texts for word in set(text))
        self._vocabulary = sorted(counts)
        self._sounds = [jellyfish.metaphone(word) for word in self._vocabulary]
        number = {word: index for index, word in enumerate(self._vocabulary)}
        self._idf = np.array([_idf(counts[word], len(texts)) for word in self._vocabulary])
        self._rarest = _idf(1, len(texts))
        # The words of all facts in one row, and where each fact's begin.
        rows = [sorted({number[word] for word in text}) for text in texts]
        self._words = np.concatenate(rows)
        self._starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
        self._trigrams = _Trigrams([" ".join(text) for text in texts])
        self._answers = [set(_content(fact.answer)) for fact in facts]
        self._numeric = np.array([fact.answer[:1].isdigit() or fact.answer[-1:].isdigit() for fact in facts])

    def scores(self, question: str) -> Scores:
        """How well each fact fits, shape (facts,), 0 to 1."""
        words = _content(question)
        if not words:
            return np.zeros(len(self.facts))
        similarity = self._similarity(words)
        # Best word of each fact for each word of the question: (words, facts).
        best = np.maximum.reduceat(similarity[:, self._words], self._starts, axis=1)
        weights = np.array([self._weight(row) for row in similarity])
        by_question = weights @ best / weights.sum()
        rarity = self._idf[self._words]
        heard = np.add.reduceat(similarity.max(axis=0)[self._words] * rarity, self._starts)
        by_fact = heard / np.add.reduceat(rarity, self._starts)
        by_trigrams = self._trigrams.cosine(" ".join(words))
        scores = _BY_QUESTION * by_question + _BY_FACT * by_fact + _BY_TRIGRAMS * by_trigrams
        if _wants_number(question):
            scores = np.where(self._numeric, scores, scores * _WRONG_TYPE)
        return np.asarray(scores, dtype=np.float64)

    def best(self, question: str) -> Match:
        """The fact that fits best; of equals, the first.

        What a question names is rarely its answer ("the capital of Cuba" is not Cuba), unless it offers it ("a or b").
        """
        scores = self.scores(question)
        words = words_of(question)
        if "or" not in words:
            named = np.array([answer <= set(words) for answer in self._answers])
            scores = np.where(named, scores * _NAMED_IN_QUESTION, scores)
        index = int(np.argmax(scores))
        return Match(self.facts[index], float(scores[index]))

    def _similarity(self, words: Sequence[str]) -> Scores:
        """Words x vocabulary, 0 to 1: by spelling or by sound, whichever is closer; weak likeness is none."""
        spelled = process.cdist(words, self._vocabulary, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
        sounds = [jellyfish.metaphone(word) or word for word in words]
        sounding = process.cdist(sounds, self._sounds, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
        same = np.maximum(spelled, _SAME_SOUND * 0.5 * (sounding + spelled))
        same = np.where(sounding >= 1.0, np.maximum(same, _SAME_SOUND * (0.6 + 0.4 * spelled)), same)
        # Numbers are alike only where they are equal.
        digits = np.array([word.isdigit() for word in words])
        known = np.array([word.isdigit() for word in self._vocabulary])
        same = np.where(digits[:, None] | known[None, :], (spelled >= 1.0), same)
        return np.where(same >= _MIN_SIMILARITY, same, 0.0).astype(np.float64)

    def _weight(self, similarity: Scores) -> float:
        """How much a word of the question says: its IDF where it is known, else that of what it sounds like."""
        nearest = int(np.argmax(similarity))
        likeness = float(similarity[nearest])
        return likeness * float(self._idf[nearest]) + (1 - likeness) * _UNKNOWN_WORD * self._rarest


class _Trigrams:
    """Cosine between texts over IDF-weighted character trigrams, spaces left out."""

    def __init__(self, texts: Sequence[str]) -> None:
        grams = [Counter(_grams(text)) for text in texts]
        counts = Counter(gram for text in grams for gram in text)
        self._number = {gram: index for index, gram in enumerate(sorted(counts))}
        self._idf = np.array([_idf(counts[gram], len(texts)) for gram in self._number])
        self._matrix = np.stack([self._vector(text) for text in grams])

    def cosine(self, text: str) -> Scores:
        """Against each text, shape (texts,)."""
        return np.asarray(self._matrix @ self._vector(Counter(_grams(text))), dtype=np.float64)

    def _vector(self, grams: Counter[str]) -> Scores:
        vector = np.zeros(len(self._number))
        for gram, count in grams.items():
            if gram in self._number:
                index = self._number[gram]
                vector[index] = (1 + math.log(count)) * self._idf[index]
        norm = float(np.linalg.norm(vector))
        return vector / norm if norm else vector


def _content(text: str) -> list[str]:
    """The words that carry meaning; all words where none does."""
    words = words_of(text)
    return [word for word in words if word not in STOP_WORDS] or words


def _grams(text: str) -> list[str]:
    joined = text.replace(" ", "")
    return [joined[i : i + 3] for i in range(len(joined) - 2)]


def _idf(count: int, texts: int) -> float:
    """Inverse document frequency as in BM25 (Robertson and Zaragoza 2009), never negative."""
    return math.log(1 + (texts - count + 0.5) / (count + 0.5))


def _wants_number(question: str) -> bool:
    words = words_of(question)[:6]
    return any(pair in (("how", "many"), ("which", "year"), ("what", "year")) for pair in pairwise(words))
