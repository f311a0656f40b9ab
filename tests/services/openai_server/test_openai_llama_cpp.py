"""The preset `llama-cpp` against llama.cpp's own server, which the package xllamacpp brings, on a tiny GGUF file."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.in_process import Host

NEEDED = ("xllamacpp", "torch", "transformers", "gguf")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"NOT CHECKED: pip install {' '.join(MISSING)} to test against llama.cpp's own server"
)

SLOTS, CONTEXT = 2, 512
SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), 0
params.cpuparams.n_threads = 1
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
server = xllamacpp.Server(params)
print("ADDRESS", server.listening_address, flush=True)
sys.stdin.read()
"""
QUESTION = "What is the capital of France?"
SHORT = pb.Decoding(max_new_tokens=12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from omnigap_services.torch_utils.versions import let_torchvision_import

    let_torchvision_import()
    from tests.services.hf.tiny_gguf import F32, write_gguf

    # Not quantised: llama.cpp also rounds the activations that meet quantised weights, which changes tokens.
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", quantisation=F32)


@pytest.fixture(scope="module")
def address(model: Path) -> Iterator[str]:
    """Base URL of a llama.cpp server; it ends with its standard input."""
    command = [sys.executable, "-c", SERVER, str(model), str(CONTEXT), str(SLOTS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("ADDRESS ")), "")
        assert line, "llama.cpp's server did not start"
        yield f"{line.split()[1]}/v1"
        process.kill()


def preset(address: str, **options: Any) -> OpenaiAdapter:
    return OpenaiAdapter({"preset": "llama-cpp", "base_url": address, "max_retries": 0, **options})


def test_hf_chat_and_llama_cpp_read_one_file_as_the_same_model(model: Path, address: str, hosted: Host) -> None:
    """Two implementations of the format, the tokenizer, the chat template and the position encoding."""
    from omnigap_services.hf.chat.adapter import ChatAdapter

    theirs, ours = hosted(preset(address)), hosted(ChatAdapter({"model": str(model)}))
    answers = [[served.ask(QUESTION, decoding=SHORT) for served in (theirs, ours)] for _ in range(2)]
    assert len({answer.text for pair in answers for answer in pair}) == 1 and answers[0][0].text
    usages = {(a.complete.usage.input_tokens, a.complete.usage.output_tokens) for pair in answers for a in pair}
    assert len(usages) == 1
    assert {answer.complete.finish_reason for pair in answers for answer in pair} == {pb.FINISH_REASON_LENGTH}


def test_instruction_and_question_are_one_message(address: str, hosted: Host) -> None:
    served = hosted(preset(address))
    together = served.ask(f"{QUESTION}\n\nAnswer in a word.", decoding=SHORT)
    apart = served.ask(QUESTION, "Answer in a word.", decoding=SHORT)
    assert (apart.text, apart.complete.usage.input_tokens) == (together.text, together.complete.usage.input_tokens)


def test_a_streamed_answer_equals_the_whole_one(address: str, hosted: Host) -> None:
    whole, pieces = (hosted(preset(address, stream=stream)).ask(QUESTION, decoding=SHORT) for stream in (False, True))
    assert pieces.text == whole.text
    assert pieces.complete.usage.output_tokens == whole.complete.usage.output_tokens == 12


def test_the_repetition_penalty_reaches_the_server(address: str, hosted: Host) -> None:
    served = hosted(preset(address))
    plain, penalised = (
        served.ask(QUESTION, decoding=pb.Decoding(max_new_tokens=40, repetition_penalty=penalty)).text
        for penalty in (1.0, 5.0)
    )
    assert plain != penalised


def test_a_question_beyond_the_context_of_a_slot_is_too_large(address: str, hosted: Host) -> None:
    with pytest.raises(ContractError, match="available context size") as caught:
        hosted(preset(address)).ask("x" * CONTEXT)
    assert caught.value.reason is Reason.TOO_LARGE


def test_images_for_a_model_without_projector_are_refused_at_the_start(address: str, hosted: Host) -> None:
    with pytest.raises(ContractError, match="image input is not supported") as caught:
        hosted(preset(address, conditions=["t2t", "i2t"]))
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION


def test_a_cascade_takes_it_as_its_language_model(address: str, hosted: Host) -> None:
    llm = hosted(preset(address))
    cascade = hosted(CascadeAdapter({"llm": llm.address, "asr": "none", "ocr": "none"}))
    assert cascade.ask(QUESTION, decoding=SHORT).text == llm.ask(QUESTION, decoding=SHORT).text
