"""Reads the facts and finds the one that fits a question, also with ASR errors in some of its words.

The words of a question are matched with the words of a fact by spelling (edit distance) and by sound (Metaphone keys),
each weighted by the fact word's rarity (the IDF of BM25). The share of the fact that the question covers counts too,
and so do the character trigrams of both, which survive words that ASR split or joined.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import jellyfish
import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from omnigap_services.demo.words import STOP_WORDS, words_of


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence, and the short answer that it gives to questions about it."""

    text: str
    answer: str


def read_facts(path: Path) -> tuple[Fact, ...]:
    """The facts of a file, in file order.

    Raises:
        ValueError: for a line that is not a fact (the message names file and line), or a file without facts.
        OSError: if the file cannot be read.
    """
    facts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: invalid JSON ({error.msg})") from error
        if not isinstance(row, dict) or set(row) != {"text", "answer"}:
            raise ValueError(f"{path}, line {number}: a fact has the keys text and answer, and no others")
        if not all(isinstance(value, str) and value.strip() for value in row.values()):
            raise ValueError(f"{path}, line {number}: text and answer must be non-empty strings")
        facts.append(Fact(row["text"], row["answer"]))
    if not facts:
        raise ValueError(f"{path} contains no facts: add a line, or leave the option knowledge unset")
    return tuple(facts)


Scores = npt.NDArray[np.float64]

# All constants were tuned on spoken and typed paraphrases (tests/services/demo/paraphrases.jsonl). None of these is a
# built-in item, so the items stay unseen questions.
# Weights of the three scores; they sum to 1.
_BY_QUESTION, _BY_FACT, _BY_TRIGRAMS = 0.60, 0.15, 0.25
# Similarity of two words that sound the same and are spelled differently.
_SAME_SOUND = 0.92
# Below this, two words count as unrelated.
_MIN_SIMILARITY = 0.60
# Weight of a word that no fact contains, as a share of the rarest word's IDF.
_UNKNOWN_WORD = 0.60
# Factor on a fact whose answer has no number when the question asks for one.
_WRONG_TYPE = 0.80
# Factor on a fact whose answer is in the question itself.
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
        # The words of all facts in one flat array, and the offset of each fact: `reduceat` then works on all facts at
        # once.
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
        # The best match in each fact for each word of the question: shape (words, facts).
        best = np.maximum.reduceat(similarity[:, self._words], self._starts, axis=1)
        weights = np.array([self._weight(row) for row in similarity])
        by_question = weights @ best / weights.sum()
        rarity = self._idf[self._words]
        covered = np.add.reduceat(similarity.max(axis=0)[self._words] * rarity, self._starts)
        by_fact = covered / np.add.reduceat(rarity, self._starts)
        by_trigrams = self._trigrams.cosine(" ".join(words))
        scores = _BY_QUESTION * by_question + _BY_FACT * by_fact + _BY_TRIGRAMS * by_trigrams
        if _wants_number(question):
            scores = np.where(self._numeric, scores, scores * _WRONG_TYPE)
        return np.asarray(scores, dtype=np.float64)

    def best(self, question: str) -> Match:
        """The fact with the highest score; the first one on a tie."""
        scores = self.scores(question)
        words = words_of(question)
        # What a question names is rarely its answer ("the capital of Cuba" is not Cuba), unless it offers alternatives
        # ("is it a or b").
        if "or" not in words:
            named = np.array([answer <= set(words) for answer in self._answers])
            scores = np.where(named, scores * _NAMED_IN_QUESTION, scores)
        index = int(np.argmax(scores))
        return Match(self.facts[index], float(scores[index]))

    def _similarity(self, words: Sequence[str]) -> Scores:
        """Similarity to the vocabulary, shape (words, vocabulary), 0 to 1: the higher of spelling and sound."""
        spelled = process.cdist(words, self._vocabulary, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
        sounds = [jellyfish.metaphone(word) or word for word in words]
        sounding = process.cdist(sounds, self._sounds, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
        same = np.maximum(spelled, _SAME_SOUND * 0.5 * (sounding + spelled))
        same = np.where(sounding >= 1.0, np.maximum(same, _SAME_SOUND * (0.6 + 0.4 * spelled)), same)
        # Numbers match exactly or not at all: 1945 is one edit from 1946 and a different answer.
        digits = np.array([word.isdigit() for word in words])
        known = np.array([word.isdigit() for word in self._vocabulary])
        same = np.where(digits[:, None] | known[None, :], (spelled >= 1.0), same)
        return np.where(same >= _MIN_SIMILARITY, same, 0.0).astype(np.float64)

    def _weight(self, similarity: Scores) -> float:
        """The weight of a question's word: the IDF of the nearest known word, mixed with a default if it is far."""
        nearest = int(np.argmax(similarity))
        likeness = float(similarity[nearest])
        return likeness * float(self._idf[nearest]) + (1 - likeness) * _UNKNOWN_WORD * self._rarest


class _Trigrams:
    """Cosine similarity of texts over IDF-weighted character trigrams, without spaces (ASR may split or join words)."""

    def __init__(self, texts: Sequence[str]) -> None:
        grams = [Counter(_grams(text)) for text in texts]
        counts = Counter(gram for text in grams for gram in text)
        self._number = {gram: index for index, gram in enumerate(sorted(counts))}
        self._idf = np.array([_idf(counts[gram], len(texts)) for gram in self._number])
        self._matrix = np.stack([self._vector(text) for text in grams])

    def cosine(self, text: str) -> Scores:
        """Similarity of a text to each indexed text, shape (texts,)."""
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
    """The words that are not stop words; all words if there are no others."""
    words = words_of(text)
    return [word for word in words if word not in STOP_WORDS] or words


def _grams(text: str) -> list[str]:
    joined = text.replace(" ", "")
    return [joined[i : i + 3] for i in range(len(joined) - 2)]


def _idf(count: int, texts: int) -> float:
    """Inverse document frequency as in BM25 (Robertson and Zaragoza 2009), never negative."""
    return math.log(1 + (texts - count + 0.5) / (count + 0.5))


def _wants_number(question: str) -> bool:
    # Only the first words: "how many" in a later clause does not ask for a number.
    words = words_of(question)[:6]
    return any(pair in (("how", "many"), ("which", "year"), ("what", "year")) for pair in pairwise(words))
