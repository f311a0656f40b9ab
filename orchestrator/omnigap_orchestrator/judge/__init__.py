"""Scoring open answers with a language model as judge: rubrics, prompts and verdict parsing."""

from omnigap_orchestrator.judge.parse import UNREADABLE, Verdict, combine_votes, read_verdict
from omnigap_orchestrator.judge.prompt import JudgePrompt, JudgeSetup, judge_setup
from omnigap_orchestrator.judge.rubric import SHIPPED, Rubric, RubricError, read_rubric, rubric_of

__all__ = [
    "SHIPPED",
    "UNREADABLE",
    "JudgePrompt",
    "JudgeSetup",
    "Rubric",
    "RubricError",
    "Verdict",
    "combine_votes",
    "judge_setup",
    "read_rubric",
    "read_verdict",
    "rubric_of",
]
