"""Scoring of answer texts: pure functions from an item and a text to a score, flags and word errors."""

from omnigap_orchestrator.scoring.entities import EntityErrors, entity_errors, pooled_entities
from omnigap_orchestrator.scoring.flags import AsrStats, AudioStats, answer_flags, is_refusal, wrong_language
from omnigap_orchestrator.scoring.gold import gold_forms
from omnigap_orchestrator.scoring.metrics import (
    NO_ERRORS,
    Scored,
    WordErrors,
    count_errors,
    pooled,
    word_errors,
)
from omnigap_orchestrator.scoring.normalise import NORMALISER_VERSION, NUMERIC_LANGUAGES, normalise, units
from omnigap_orchestrator.scoring.score import (
    JUDGE,
    MetricRules,
    known_metrics,
    metric_for,
    metric_names,
    metric_of,
    score,
    scoring_presets,
)
from omnigap_orchestrator.scoring.whisper import whisper_word_errors

RULES_VERSION = 3
"""Version of all scoring rules: metrics, normaliser, refusals, flags and word errors.

Increase it by one if the score, a flag or the comparable answer of any text could change. Stored answers are then
rescored on the next call, and calibrations must be repeated. Changes of comments, names or files do not count.
"""

__all__ = [
    "JUDGE",
    "NORMALISER_VERSION",
    "NO_ERRORS",
    "NUMERIC_LANGUAGES",
    "RULES_VERSION",
    "AsrStats",
    "AudioStats",
    "EntityErrors",
    "MetricRules",
    "Scored",
    "WordErrors",
    "answer_flags",
    "count_errors",
    "entity_errors",
    "gold_forms",
    "is_refusal",
    "known_metrics",
    "metric_for",
    "metric_names",
    "metric_of",
    "normalise",
    "pooled",
    "pooled_entities",
    "score",
    "scoring_presets",
    "units",
    "whisper_word_errors",
    "word_errors",
    "wrong_language",
]
