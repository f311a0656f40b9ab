"""The `triton` service: one inference request a question, for any model on an NVIDIA Triton server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnigap.errors import ContractError
from omnigap_services.adapter import Adapter, Card, Turn
from omnigap_services.triton_server.card import card_of
from omnigap_services.triton_server.feed import Feeder
from omnigap_services.triton_server.options import read_triton_options
from omnigap_services.triton_server.reading import Piece, Reader
from omnigap_services.triton_server.signature import Signature
from omnigap_services.triton_server.upstream import Response, Upstream
from omnigap_services.triton_server.wiring import check_wiring


class TritonAdapter(Adapter):
    """A proxy: it owns no device, so as many threads call it as calls may be under way; Triton forms the batches."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_triton_options(options)
        self._upstream: Upstream | None = None

    def load(self) -> Card:
        self._upstream = Upstream(self._set)
        self._signature: Signature = self._upstream.signature()
        check_wiring(self._set, self._signature)
        self._feeder = Feeder(self._set, self._signature)
        return card_of(self._set, self._signature)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._upstream is not None, "generate before load"
        request = turn.request
        inputs, reader = self._feeder.feed(request), Reader(self._set, request.output)

        def take(response: Response) -> None:
            self._hand_on(turn, reader.take(response))

        retries = self._upstream.ask(self._signature, inputs, reader.wanted, take, lambda: turn.cancelled)
        if retries is None:
            return
        if self._set.reads_aloud:
            turn.write(self._set.text_separator.join(request.texts))
        self._hand_on(turn, reader.rest())
        turn.complete(reader.completion(retries))

    def _hand_on(self, turn: Turn, piece: Piece) -> None:
        turn.reason(piece.reasoning)
        turn.write(piece.text)
        if piece.audio is not None and piece.audio.size:
            turn.speak(piece.audio, self._set.output_sample_rate_hz)

    def close(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
