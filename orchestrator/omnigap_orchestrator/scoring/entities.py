"""Entity errors of a transcript, NE-WER and NE-FNR, as in ContextASR-Bench (arXiv 2507.05727)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from rapidfuzz.distance import Levenshtein

from omnigap_orchestrator.scoring.metrics import NO_ERRORS, WordErrors, count_errors
from omnigap_orchestrator.scoring.normalise import normalise, units


@dataclass(frozen=True, slots=True)
class EntityErrors:
    """Counts of one or more transcripts; `+` pools them.

    Attributes:
        words: edits between the entities of the reference and the words matched with them; NE-WER is their rate.
        hits: entities transcribed exactly, each at most as often as in the reference (H).
        entities: entities in the reference (T).
    """

    words: WordErrors
    hits: int
    entities: int

    def __add__(self, other: EntityErrors) -> EntityErrors:
        return EntityErrors(self.words + other.words, self.hits + other.hits, self.entities + other.entities)

    @property
    def ne_wer(self) -> float | None:
        """Word error rate over the entities only; None without entities."""
        return self.words.rate

    @property
    def ne_fnr(self) -> float | None:
        """1 - H / T, the share of entities that were not transcribed exactly; None without entities."""
        return 1 - self.hits / self.entities if self.entities else None


NO_ENTITY_ERRORS = EntityErrors(NO_ERRORS, 0, 0)


def entity_errors(reference: str, hypothesis: str, entities: Iterable[str], language: str = "en") -> EntityErrors:
    """Compares the entities of a reference with a transcript; all texts are normalised first.

    Args:
        reference: what should have been said: the own text or the gold answer.
        hypothesis: the transcript.
        entities: gold answers and aliases; those that do not occur in the reference are ignored.
    """
    reference_words = units(normalise(reference, language), language)
    transcript_words = units(normalise(hypothesis, language), language)
    forms = (tuple(units(normalise(entity, language), language)) for entity in entities)
    known = [entity for entity in dict.fromkeys(forms) if entity]
    expected = [entity for _, entity in _exact(reference_words, known)]
    counts = Counter(expected)
    # Only entities of the reference are matched: other aliases would add insertions.
    matched = _fuzzy(transcript_words, list(counts))
    found = Counter(entity for _, entity in _exact(transcript_words, known))
    return EntityErrors(
        count_errors([word for entity in expected for word in entity], [word for window in matched for word in window]),
        sum(min(found[entity], count) for entity, count in counts.items()),
        len(expected),
    )


def pooled_entities(errors: Iterable[EntityErrors]) -> EntityErrors:
    """Sums counts over transcripts, as for a corpus error rate."""
    return sum(errors, NO_ENTITY_ERRORS)


def _exact(words: Sequence[str], entities: Sequence[tuple[str, ...]]) -> list[tuple[int, tuple[str, ...]]]:
    """Every occurrence of an entity, by position; at the same position the shorter one is first."""
    places = [
        (i, entity) for i in range(len(words)) for entity in entities if tuple(words[i : i + len(entity)]) == entity
    ]
    return sorted(places, key=lambda place: (place[0], len(place[1])))


def _fuzzy(words: Sequence[str], entities: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Windows of the text that match an entity of n words with at most ceil(n / 2) - 1 word edits.

    Windows of one entity do not overlap. At each position the entity's own length is tried first, then shorter and then
    longer ones. A window that contains the entity counts as the entity.
    """
    places: dict[tuple[int, tuple[str, ...]], None] = {}
    for entity in entities:
        n = len(entity)
        slack = ceil(n / 2) - 1
        lengths = [n, *range(n - 1, max(1, n - slack) - 1, -1), *range(n + 1, n + slack + 1)]
        start = 0
        while start < len(words):
            match = _window(words, start, entity, lengths, slack)
            if match is None:
                start += 1
                continue
            window, end = match
            places.setdefault((start, window))
            start = max(end, start + 1)
    return [window for _, window in sorted(places, key=lambda place: (place[0], len(place[1])))]


def _window(
    words: Sequence[str], start: int, entity: tuple[str, ...], lengths: Sequence[int], slack: int
) -> tuple[tuple[str, ...], int] | None:
    for length in lengths:
        if start + length > len(words):
            continue
        window = tuple(words[start : start + length])
        if Levenshtein.distance(window, entity, score_cutoff=slack) > slack:
            continue
        for at in range(length - len(entity) + 1):
            if window[at : at + len(entity)] == entity:
                return entity, start + at + len(entity)
        return window, start + length
    return None
