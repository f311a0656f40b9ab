"""What a run will ask, fixed before the first call: every model x item x condition x replicate, and its key."""

from omnigap_orchestrator.plan.cell import Cell, filed_under
from omnigap_orchestrator.plan.controls import BLANK_TEXT, FIRST_PASS, conditions_of, typed_carrier
from omnigap_orchestrator.plan.keys import AnswerKeys, score_key, scorer_key, transcript_key
from omnigap_orchestrator.plan.plan import ModelSpec, Plan, PlanError, make_plan

__all__ = [
    "BLANK_TEXT",
    "FIRST_PASS",
    "AnswerKeys",
    "Cell",
    "ModelSpec",
    "Plan",
    "PlanError",
    "conditions_of",
    "filed_under",
    "make_plan",
    "score_key",
    "scorer_key",
    "transcript_key",
    "typed_carrier",
]
