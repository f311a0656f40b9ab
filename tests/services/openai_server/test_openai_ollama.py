"""The preset `ollama` against a double of Ollama's documented endpoint: what it reads, ignores, and cuts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.chat_server import ChatServer, Handler
from tests.helpers.in_process import Host
from tests.helpers.serve_process import Served

# The fields that Ollama reads; all others are dropped without an error.
READ = {
    *("model", "messages", "frequency_penalty", "presence_penalty", "response_format", "seed", "stop", "stream"),
    *("stream_options", "temperature", "top_p", "max_tokens", "tools", "reasoning_effort", "reasoning", "logprobs"),
}


def ollama(handler: Handler, body: dict[str, Any]) -> None:
    """Answers as Ollama's middleware does: each part of a content becomes a message, thinking is in `reasoning`."""
    known = "smollm2:135m"
    if body["model"] != known:
        error = {
            "message": f"model '{body['model']}' not found",
            "type": "not_found_error",
            "param": None,
            "code": None,
        }
        handler.send(json.dumps({"error": error}).encode(), 404)
        return
    contents = [message["content"] for message in body["messages"]]
    messages = [part for content in contents for part in ([content] if isinstance(content, str) else content)]
    message = {"role": "assistant", "content": f"{len(messages)} message(s)", "reasoning": "It thinks."}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    choice = {"index": 0, "message": message, "finish_reason": "length" if body.get("max_tokens", 99) < 7 else "stop"}
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": known, "choices": [choice]}
    handler.send(json.dumps({**reply, "system_fingerprint": "fp_ollama", "usage": usage}).encode())


@pytest.fixture
def served(chat: ChatServer, host_adapter: Host) -> Served:
    chat.then(ollama)
    served = host_adapter(OpenaiAdapter({"preset": "ollama", "base_url": chat.url, "max_retries": 0}))
    chat.then(ollama)
    return served


def test_question_and_instruction_are_one_message_and_thinking_is_kept_apart(chat: ChatServer, served: Served) -> None:
    reply = served.ask("Who?", "In one word.", decoding=pb.Decoding(max_new_tokens=64, seed=3))
    assert (reply.text, reply.reasoning) == ("1 message(s)", "It thinks.")
    assert (reply.complete.usage.input_tokens, reply.complete.usage.output_tokens) == (11, 7)
    assert set(chat.asked[0].body) <= READ
    assert (chat.asked[0].body["temperature"], chat.asked[0].body["seed"]) == (0, 3)


def test_an_answer_that_was_cut_ends_with_length(served: Served) -> None:
    reply = served.ask("Who?", decoding=pb.Decoding(max_new_tokens=2))
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH


@pytest.mark.parametrize(
    ("decoding", "name"),
    [(pb.Decoding(top_k=20), "top_k"), (pb.Decoding(repetition_penalty=1.2), "repetition_penalty")],
)
def test_settings_that_it_would_ignore_are_refused(served: Served, decoding: pb.Decoding, name: str) -> None:
    with pytest.raises(ContractError, match=rf"decoding.{name} is .*ignores: leave it out") as caught:
        served.ask("Who?", decoding=decoding)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_settings_that_change_nothing_are_left_out(chat: ChatServer, served: Served) -> None:
    assert served.ask("Who?", decoding=pb.Decoding(top_k=0, repetition_penalty=1.0)).text
    assert set(chat.asked[0].body) <= READ


def test_a_model_that_was_not_pulled_is_named_at_the_start(chat: ChatServer, host_adapter: Host) -> None:
    chat.then(ollama)
    with pytest.raises(ContractError, match="model 'qwen3:4b' not found"):
        host_adapter(OpenaiAdapter({"preset": "ollama", "model": "qwen3:4b", "base_url": chat.url, "max_retries": 0}))
