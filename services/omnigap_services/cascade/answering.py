"""The cascade's head: from the text of a question to a short answer. It never sees audio or pixels."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap_services.cascade.arithmetic import solve
from omnigap_services.cascade.choices import find_choices, pick
from omnigap_services.cascade.retrieval import Retriever

DONT_KNOW = "I don't know."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `score` is how well it is backed, 0 to 1, and `spoken` how a voice says it."""

    text: str
    score: float
    spoken: str = ""

    @property
    def voiced(self) -> str:
        return self.spoken or self.text


class Head:
    """Answers questions out of facts and sums."""

    def __init__(self, retriever: Retriever, min_match: float) -> None:
        self._retriever = retriever
        self._min_match = min_match

    def answer(self, question: str) -> Reply:
        """A letter where there are choices, a number where there is a sum, else the best fact's answer.

        What nothing backs by `min_match` or more is answered with `DONT_KNOW`.
        """
        if found := find_choices(question):
            picked = pick(found, self._retriever)
            if picked.score < self._min_match:
                return Reply(DONT_KNOW, picked.score)
            # A lone letter is the hardest thing to hear.
            return Reply(picked.letter, picked.score, f"Option {picked.letter}.")
        if (result := solve(question)) is not None:
            return Reply(result, 1.0)
        match = self._retriever.best(question)
        if match.score < self._min_match:
            return Reply(DONT_KNOW, match.score)
        answer = match.fact.answer
        return Reply(answer, match.score, f"The letter {answer}." if len(answer) == 1 and answer.isalpha() else "")
