"""`hf-chat` with a language model that others trained: SmolLM2-135M-Instruct, quantised, as one GGUF file."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap.digest import file_sha256
from omnigap_orchestrator.items import load_items
from omnigap_services.adapter import DecodingOptions
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.server.describe import describe
from tests.helpers import real_weights as real
from tests.services.hf.test_hf_chat_generation import RecordedTurn, texts

pytestmark = [pytest.mark.real_weights, pytest.mark.timeout(900), real.needs("torch", "transformers", "gguf")]

SHORT = DecodingOptions(max_new_tokens=12)
QUESTIONS = 8


@pytest.fixture(scope="module")
def folder(real_weights: Path) -> Path:
    return real_weights / "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def adapter(folder: Path) -> ChatAdapter:
    loaded = ChatAdapter({"model": str(folder)})
    loaded.load()
    return loaded


def test_the_card_says_what_was_loaded(folder: Path, adapter: ChatAdapter) -> None:
    assert adapter._card is not None
    card = describe(adapter._card, ChatAdapter)
    path = next(folder.glob("*.gguf"))
    assert card.name == folder.name
    assert card.weights_revision == f"sha256:{file_sha256(path)} ({folder.name}/{path.name})"
    assert (card.settings["quantisation"], card.settings["dtype"]) == ("GGUF Q4_1, unpacked", "float32")


def test_it_answers_in_sentences_and_ends_its_turn(adapter: ChatAdapter) -> None:
    turn = RecordedTurn("What is the capital of France?", decoding=DecodingOptions(max_new_tokens=40))
    assert "Paris" in texts(adapter, [turn])[0]
    assert turn.completion is not None and 4 <= turn.completion.output_tokens < 40


def test_an_answer_does_not_depend_on_its_batch(adapter: ChatAdapter) -> None:
    questions = [item.typed for item in load_items()[:: max(1, len(load_items()) // QUESTIONS)]][:QUESTIONS]
    alone = [texts(adapter, [RecordedTurn(question, decoding=SHORT)])[0] for question in questions]
    assert texts(adapter, [RecordedTurn(question, decoding=SHORT) for question in questions]) == alone
    assert len(set(alone)) > QUESTIONS // 2
