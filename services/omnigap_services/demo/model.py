"""The language model of `demo`: a short answer to a question, from facts, sums, choices and counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omnigap.digest import file_sha256
from omnigap.media import AudioClip
from omnigap.vocabulary import REFERENCE, Modality
from omnigap_services.adapter import NATIVE, Card, Completion, Request, Turn
from omnigap_services.cascade.llm import LlmAnswer
from omnigap_services.cascade.tts import AudioOut
from omnigap_services.demo import arithmetic
from omnigap_services.demo.choices import find_choices, pick
from omnigap_services.demo.retrieval import Retriever, read_facts

DONT_KNOW = "I don't know."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        score: how well a fact supports it, 0 to 1.
        spoken: the wording for speech output; empty: `text`.
    """

    text: str
    score: float
    spoken: str = ""


class QuestionAnswerer:
    """Answers the text of a question. It never receives audio or pixels."""

    def __init__(self, retriever: Retriever, min_match: float) -> None:
        self._retriever = retriever
        self._min_match = min_match

    def answer(self, question: str) -> Reply:
        """A letter for a multiple-choice question, a number for a sum, else the answer of the best fact.

        The answer is `DONT_KNOW` if the best score is below `min_match`.
        """
        if found := find_choices(question):
            picked = pick(found, self._retriever)
            if picked.score < self._min_match:
                return Reply(DONT_KNOW, picked.score)
            # ASR often misrecognises a single letter, so it is spoken with a word before it.
            return Reply(picked.letter, picked.score, f"Option {picked.letter}.")
        if (result := arithmetic.solve(question)) is not None:
            return Reply(result, 1.0)
        match = self._retriever.best(question)
        if match.score < self._min_match:
            return Reply(DONT_KNOW, match.score)
        answer = match.fact.answer
        return Reply(answer, match.score, f"The letter {answer}." if len(answer) == 1 and answer.isalpha() else "")


class LookupModel:
    """A `LanguageModel` in this process. It knows the facts of one file, in English, and nothing else."""

    part = None
    empty_input = ""
    knows_languages = False

    def __init__(self, knowledge: Path, min_match: float, max_concurrent: int) -> None:
        self._answerer = QuestionAnswerer(Retriever(read_facts(knowledge)), min_match)
        self.card = Card(
            name="demo",
            conditions={REFERENCE: NATIVE},
            weights_revision=file_sha256(knowledge),
            settings={"min_match": str(min_match), "decoding": "deterministic"},
            libraries=("rapidfuzz", "jellyfish", "scipy"),
            languages=("en",),
            max_concurrent=max_concurrent,
        )

    def answer_carrier(self, request: Request) -> LlmAnswer | None:
        """The count, if the typed instruction asks to count what the carrier shows.

        Marks, beeps and dots have no words, so recognition could not bring them to `answer`.
        """
        if not arithmetic.asks_to_count("\n".join(part for part in request.parts[1:] if isinstance(part, str))):
            return None
        carrier = request.carrier
        if isinstance(carrier, str):
            count = arithmetic.count_marks(carrier)
        else:
            count = (
                arithmetic.count_beeps(carrier) if isinstance(carrier, AudioClip) else arithmetic.count_dots(carrier)
            )
        return LlmAnswer(str(count), Completion(diagnostics={"match_score": 1.0}))

    def answer(self, turn: Turn, question: Request, out: AudioOut) -> LlmAnswer:
        reply = self._answerer.answer(str(question.carrier))
        # `question.output` is always text here; the turn's own request says whether the answer will be spoken.
        text = (reply.spoken or reply.text) if turn.request.output is Modality.SPEECH else reply.text
        turn.write(text)
        return LlmAnswer(text, Completion(diagnostics={"match_score": reply.score}))

    def close(self) -> None:
        """Nothing to free."""
