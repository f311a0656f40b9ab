"""What a run will ask, fixed before the first call: every model x item x condition x replicate, and its key."""

from omnigap_orchestrator.plan.cell import Cell
from omnigap_orchestrator.plan.keys import AnswerKeys, score_key, scorer_key, transcript_key
from omnigap_orchestrator.plan.plan import ModelSpec, Plan, PlanError, make_plan

__all__ = [
    "AnswerKeys",
    "Cell",
    "ModelSpec",
    "Plan",
    "PlanError",
    "make_plan",
    "score_key",
    "scorer_key",
    "transcript_key",
]
