"""Judging open answers with a language model: rubrics, what is asked, and how a verdict is read. Pure but for files."""

from omnigap_orchestrator.judge.prompt import (
    UNREADABLE,
    JudgePrompt,
    JudgeSetup,
    Verdict,
    combined,
    judge_setup,
    read_verdict,
)
from omnigap_orchestrator.judge.rubric import SHIPPED, Rubric, RubricError, read_rubric, rubric_of

__all__ = [
    "SHIPPED",
    "UNREADABLE",
    "JudgePrompt",
    "JudgeSetup",
    "Rubric",
    "RubricError",
    "Verdict",
    "combined",
    "judge_setup",
    "read_rubric",
    "read_verdict",
    "rubric_of",
]
