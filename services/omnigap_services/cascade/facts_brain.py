"""The brain that ships: it knows the facts of a file and can do sums, and nothing else."""

from __future__ import annotations

from omnigap.digest import file_sha256
from omnigap.media import AudioClip
from omnigap.vocabulary import REFERENCE, Modality
from omnigap_services.adapter import NATIVE, Card, Completion, Request, Turn
from omnigap_services.cascade import counting
from omnigap_services.cascade.answering import Head
from omnigap_services.cascade.knowledge import read_facts
from omnigap_services.cascade.loudspeaker import Loudspeaker
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.cascade.retrieval import Retriever
from omnigap_services.cascade.thinking import Thought


class FactsBrain:
    """Looks a question up; English."""

    part = None
    nothing = ""
    knows_languages = False

    def __init__(self, options: CascadeOptions) -> None:
        self._head = Head(Retriever(read_facts(options.knowledge)), options.min_match)
        self.card = Card(
            name="cascade",
            conditions={REFERENCE: NATIVE},
            weights_revision=file_sha256(options.knowledge),
            settings={
                "min_match": str(options.min_match),
                "image_side": str(options.image_side),
                "decoding": "deterministic",
            },
            libraries=("rapidfuzz", "jellyfish", "scipy"),
            languages=("en",),
            max_concurrent=options.max_batch_size,
        )

    def glance(self, request: Request) -> Thought | None:
        """A count, where the typed instruction, the text beside the carrier, asks to count what the carrier shows."""
        if not counting.asks_to_count("\n".join(part for part in request.parts[1:] if isinstance(part, str))):
            return None
        carrier = request.carrier
        if isinstance(carrier, str):
            count = counting.count_marks(carrier)
        else:
            count = counting.count_beeps(carrier) if isinstance(carrier, AudioClip) else counting.count_dots(carrier)
        return Thought(str(count), Completion(diagnostics={"match_score": 1.0}))

    def think(self, turn: Turn, question: Request, out: Loudspeaker) -> Thought:
        reply = self._head.answer(str(question.carrier))
        text = reply.voiced if turn.request.output is Modality.SPEECH else reply.text
        turn.write(text)
        return Thought(text, Completion(diagnostics={"match_score": reply.score}))

    def close(self) -> None:
        """Nothing to free."""
