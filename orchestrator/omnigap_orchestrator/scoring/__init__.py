"""Scores of answer texts: pure functions from an item and a text to a score, flags and word errors."""

from omnigap_orchestrator.extras.named_benchmarks.ifeval import (
    Followed,
    Instruction,
    followed,
    follows,
    follows_loosely,
    read_instruction,
)
from omnigap_orchestrator.scoring.entities import EntityErrors, entity_errors, pooled_entities
from omnigap_orchestrator.scoring.flags import AsrFacts, AudioFacts, answer_flags, is_refusal, wrong_language
from omnigap_orchestrator.scoring.letters import Choice, find_choice
from omnigap_orchestrator.scoring.metrics import (
    NO_ERRORS,
    Scored,
    WordErrors,
    count_errors,
    pooled,
    word_errors,
)
from omnigap_orchestrator.scoring.normalise import NORMALISER_VERSION, normalise, units
from omnigap_orchestrator.scoring.score import (
    JUDGE,
    METRIC_NAMES,
    METRICS,
    PRESETS,
    MetricRules,
    gold_forms,
    metric_for,
    metric_of,
    score,
)

RULES_VERSION = 1
"""Version of everything that decides a score: metrics, normaliser, refusals, flags, word errors.

Raise it by one whenever the score, a flag or the comparable answer of any text could come out differently. Stored
answers are then scored again on the next call, and calibrations have to be made anew. Changes of comments, names or
files leave it as it is.
"""

__all__ = [
    "JUDGE",
    "METRICS",
    "METRIC_NAMES",
    "NORMALISER_VERSION",
    "NO_ERRORS",
    "PRESETS",
    "RULES_VERSION",
    "AsrFacts",
    "AudioFacts",
    "Choice",
    "EntityErrors",
    "Followed",
    "Instruction",
    "MetricRules",
    "Scored",
    "WordErrors",
    "answer_flags",
    "count_errors",
    "entity_errors",
    "find_choice",
    "followed",
    "follows",
    "follows_loosely",
    "gold_forms",
    "is_refusal",
    "metric_for",
    "metric_of",
    "normalise",
    "pooled",
    "pooled_entities",
    "read_instruction",
    "score",
    "units",
    "word_errors",
    "wrong_language",
]
