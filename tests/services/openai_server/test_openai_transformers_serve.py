"""The text and image path against a real peer: `transformers serve` with a tiny random LLaVA, on the CPU."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from omnigap.v1 import model_service_pb2 as pb
from tests.helpers.serve_process import Serve, Served

PATIENCE_S = 120
NEEDED = ("torch", "transformers", "accelerate", "fastapi", "uvicorn")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"NOT CHECKED: pip install {' '.join(MISSING)} to test against a real `transformers serve`"
)

# Next to a CPU build of torch, torchvision cannot decode images: hidden, so that the server uses Pillow.
WITHOUT_TORCHVISION = """
import importlib.util, runpy, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torchvision" else find(name, package)
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
PEER = [sys.executable, "-c", WITHOUT_TORCHVISION, str(Path(__file__).parent)]

QUESTION = "What is the capital of France?"
BLUE, RED = Image.new("RGB", (40, 30), "#102090"), Image.new("RGB", (40, 30), "#d03010")
GREEDY = pb.Decoding(temperature=0, max_new_tokens=12)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and model name of a `transformers serve` with the tiny checkpoint."""
    folder = tmp_path_factory.mktemp("peer")
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(folder), "OMP_NUM_THREADS": "1"}
    checkpoint = str(folder / "tiny-llava")
    subprocess.run([*PEER, "tiny_vlm", checkpoint], env=quiet, check=True, timeout=PATIENCE_S)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *PEER,
        "transformers.cli.transformers",
        "serve",
        "--device",
        "cpu",
        "--dtype",
        "float32",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, env=quiet, stdout=log, stderr=log) as process:
        yield f"http://127.0.0.1:{port}/v1", checkpoint
        process.terminate()


@pytest.fixture(scope="module")
def service(serve: Serve, peer: tuple[str, str]) -> Served:
    address, model = peer
    return serve("openai", {"base_url": address, "model": model, "conditions": ["t2t", "i2t"], "wait_s": PATIENCE_S})


def test_equal_requests_get_equal_answers(service: Served) -> None:
    first, second = (service.ask(QUESTION, decoding=GREEDY) for _ in range(2))
    assert first.text
    assert first.text == second.text
    assert first.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert first.complete.usage.output_tokens == 12
    assert first.complete.usage.input_tokens >= len(QUESTION)


def test_the_pixels_reach_the_model(service: Served) -> None:
    answers = [service.ask(image, QUESTION, decoding=GREEDY).text for image in (BLUE, RED, BLUE)]
    assert answers[0] == answers[2]
    assert answers[0] != answers[1]


def test_a_streamed_answer_equals_the_whole_one(serve: Serve, peer: tuple[str, str], service: Served) -> None:
    address, model = peer
    streaming = serve("openai", {"base_url": address, "model": model, "conditions": ["t2t", "i2t"], "stream": True})
    for parts in ((QUESTION,), (RED, QUESTION)):
        whole, pieces = (one.ask(*parts, decoding=GREEDY) for one in (service, streaming))
        assert pieces.text == whole.text
        assert pieces.complete.finish_reason == whole.complete.finish_reason
    assert streaming.describe().digest == service.describe().digest


def test_the_error_for_an_unknown_model_has_the_servers_message(serve: Serve, peer: tuple[str, str]) -> None:
    address, _ = peer
    with pytest.raises(AssertionError, match=rf"the server at {address} answered 500 \(Internal Server Error\)"):
        serve("openai", {"base_url": address, "model": "unknown/model", "conditions": ["t2t"], "max_retries": 0})
