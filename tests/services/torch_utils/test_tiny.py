"""`--tiny` of every service with torch: each architecture conforms, answers at once, and is the same at every start."""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.adapter import TinyError
from omnigap_services.loop_thread import LoopThread
from omnigap_services.options import OptionsError
from omnigap_services.registry import adapter_class, services_with_tiny
from omnigap_services.server import Server, ServerOptions
from omnigap_services.torch_utils.checkpoint import loader_files
from omnigap_services.weights import content_revision
from tests.helpers.serve_command import Launch, announced
from tests.helpers.serve_process import Part, Served

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

pytest.importorskip("torch", reason="NOT TESTED: torch is not installed")
pytest.importorskip("transformers", reason="NOT TESTED: transformers is not installed")

from omnigap_services.torch_utils.versions import let_torchvision_import

let_torchvision_import()  # before anything of transformers is imported

# A name of real weights for every architecture, and for each service its default.
ALL = {
    "qwen-omni": ["", 'checkpoint = "Qwen/Qwen3-Omni-30B-A3B-Instruct"'],
    "hf-asr": ["", 'model = "facebook/wav2vec2-base-960h"'],
    "hf-chat": [
        "",
        'model = "Qwen/Qwen3-8B"',
        'model = "meta-llama/Llama-3.1-8B-Instruct"',
        'model = "llava-hf/llava-1.5-7b-hf"',
        'model = "Qwen/Qwen2-Audio-7B-Instruct"',
    ],
    "hf-tts": [
        "",
        'model = "microsoft/speecht5_tts"\nvocoder = "microsoft/speecht5_hifigan"\nvoices = {slt = "/weights/slt.npy"}',
    ],
    "nextgpt": [""],
}
EACH = [(service, options) for service, texts in ALL.items() for options in texts]
TEXT_MODELS = [("hf-chat", text) for text in ALL["hf-chat"] if "Qwen3" in text or "Llama" in text]
INPUTS: dict[Modality, Part] = {
    Modality.TEXT: "What is the capital of France?",
    Modality.SPEECH: AudioClip((0.2 * np.sin(np.arange(24_000) / 10)).astype(np.float32), 16_000),
    Modality.IMAGE: Image.new("RGB", (120, 80), "white"),
}
PATIENCE_S = 120.0


_MODALITIES = {pb.MODALITY_TEXT: Modality.TEXT, pb.MODALITY_SPEECH: Modality.SPEECH, pb.MODALITY_IMAGE: Modality.IMAGE}


class Tiny(NamedTuple):
    """A service with a tiny checkpoint, in this process."""

    given: tuple[str, str]
    folder: Path
    served: Served


BUILD = """
import json, sys, tomllib
from pathlib import Path
from omnigap_services.registry import adapter_class
from omnigap_services.torch_utils.checkpoint import loader_files
from omnigap_services.weights import content_revision

found = []
for number, (service, text) in enumerate(json.loads(sys.argv[1])):
    folder = Path(str(number))
    folder.mkdir()
    adapter_class(service).build_tiny(tomllib.loads(text), folder)
    found.append(content_revision(folder, loader_files(folder)))
print(json.dumps(found))
"""


# As on a read-only file system: what opens a file for writing anywhere else fails.
READ_ONLY = """
import errno, os, sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def refuse(event, arguments):
    if event not in ("open", "os.mkdir") or not isinstance(arguments[0], (str, bytes)):
        return
    if event == "open" and not arguments[2] & WRITES:
        return
    path = os.path.abspath(os.fsdecode(arguments[0]))
    if not path.startswith((os.environ["TMPDIR"], "/dev/")):
        raise OSError(errno.EROFS, "Read-only file system", path)

sys.addaudithook(refuse)
"""


def read_only(folder: Path) -> dict[str, str]:
    """Variables of a process that can write into the folder `temporary` only, as in a container."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(READ_ONLY)
    (folder / "temporary").mkdir()
    return {
        "PYTHONPATH": os.pathsep.join([str(folder / "hook"), os.environ.get("PYTHONPATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder / "temporary"),
        "HOME": "/nonexistent",
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture(scope="module")
def revisions_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], list[str]]]:
    """Waits for the revisions of all checkpoints, which one other process makes while the tests here run.

    Its folders have other names, its hash seed is another one, and it writes into its temporary folder only.
    """
    variables = {**os.environ, **read_only(tmp_path_factory.mktemp("elsewhere"))}
    command = [sys.executable, "-c", BUILD, json.dumps(EACH)]
    process = subprocess.Popen(command, env=variables, cwd=variables["TMPDIR"], stdout=subprocess.PIPE, text=True)

    @functools.cache
    def wait() -> list[str]:
        found: list[str] = json.loads(process.communicate(timeout=PATIENCE_S)[0].splitlines()[-1])
        return found

    yield wait
    if process.poll() is None:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module", params=EACH, ids=[f"{service}-{options[-20:]}" for service, options in EACH])
def tiny(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    server_loop: LoopThread,
    revisions_elsewhere: object,  # is started first
) -> Iterator[Tiny]:
    """Each architecture in turn."""
    service, text = request.param
    folder = tmp_path_factory.mktemp("tiny") / f"{service}-tiny"
    folder.mkdir()
    kind = adapter_class(service)
    options = kind.build_tiny(tomllib.loads(text), folder)

    async def start() -> Server:
        server = Server(kind(options), ServerOptions(drain_seconds=0, random_weights=True))
        await server.start()
        return server

    server = server_loop.run(start())
    served = Served(server.address, process=None)  # type: ignore[arg-type]
    yield Tiny((service, text), folder, served)
    served.channel.close()
    server_loop.run(server.stop())


def test_every_service_with_a_builder_is_tested_here_or_in_its_own_folder() -> None:
    assert {*ALL, "anygpt"} == set(services_with_tiny())


async def test_it_conforms(tiny: Tiny) -> None:
    if tiny.given in TEXT_MODELS:
        pytest.skip("the same code answers as for the default of hf-chat")
    found = await conform(tiny.served.address)
    assert [(one.check, one.message) for one in found.results if one.status in (Status.FAILED, Status.WARNING)] == []
    assert found.count(Status.PASSED) >= 28


def test_its_card_says_that_the_weights_are_random(tiny: Tiny) -> None:
    described = tiny.served.describe()
    assert described.name == f"{tiny.given[0]}-tiny"
    assert described.random_weights
    assert described.settings["weights"] == "random (--tiny)"
    assert described.weights_revision.startswith("sha256:")


def test_its_answers_are_printable_or_audible_and_short(tiny: Tiny) -> None:
    answered = 0
    for one in tiny.served.describe().conditions:
        condition = Condition(_MODALITIES[one.input], _MODALITIES[one.output])
        if one.support == pb.SUPPORT_UNSUPPORTED:
            continue
        reply = tiny.served.ask(INPUTS[condition.input], output=condition.output)
        answered += 1
        assert reply.text.strip() and reply.text.isprintable(), (condition.name, reply.text)
        assert len(reply.text) < 100
        assert reply.complete.usage.output_tokens <= 32
        if condition.output is Modality.SPEECH:
            assert reply.audio is not None
            assert 0.2 < len(reply.audio.samples) / reply.audio.sample_rate < 10
            assert np.abs(reply.audio.samples).max() > 0.02
    assert answered


def test_another_process_makes_the_same_weights_and_other_architectures_others(
    tiny: Tiny, revisions_elsewhere: Callable[[], list[str]]
) -> None:
    found = revisions_elsewhere()
    assert content_revision(tiny.folder, loader_files(tiny.folder)) == found[EACH.index(tiny.given)]
    assert len(set(found)) == len(EACH)


def test_the_command_writes_only_temporary_files_and_removes_them(launch: Launch, tmp_path: Path) -> None:
    process = launch("qwen-omni", "--tiny", **read_only(tmp_path))
    ready = announced(process)
    assert ready["random_weights"] is True
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, log
    assert "Read-only" not in log
    assert list((tmp_path / "temporary").glob("omnigap-tiny-*")) == []


@pytest.mark.parametrize(
    ("service", "options", "known"),
    [
        ("hf-chat", {"model": "google/gemma-3-4b-it"}, "qwen2_audio"),
        ("hf-chat", {"model": "Qwen/Qwen2-VL-7B-Instruct"}, "llava"),
        ("hf-asr", {"model": "nvidia/parakeet-tdt-0.6b-v3"}, "wav2vec2"),
        ("hf-tts", {"model": "suno/bark"}, "speecht5"),
        ("qwen-omni", {"checkpoint": "openbmb/MiniCPM-o-2_6"}, "qwen3_omni_moe"),
    ],
)
def test_a_name_of_another_architecture_lists_those_there_are(
    service: str, options: dict[str, object], known: str, tmp_path: Path
) -> None:
    with pytest.raises(TinyError) as caught:
        adapter_class(service).build_tiny(options, tmp_path)
    (option, name), *_ = options.items()
    assert f"option {option!r} is {name!r}" in str(caught.value)
    assert known in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("service", "name", "model_type"),
    [
        ("hf-chat", "", "qwen2"),
        ("hf-chat", "llama", "llama"),
        ("hf-chat", "/models/Qwen2.5-Coder-32B-Instruct", "qwen2"),
        ("hf-chat", "Qwen/Qwen3-4B-Instruct-2507", "qwen3"),
        ("hf-chat", "Qwen/Qwen3-30B-A3B", None),
        ("hf-chat", "Qwen/Qwen3-VL-8B-Instruct", None),
        ("hf-chat", "lmsys/vicuna-7b-v1.5", "llama"),
        ("hf-chat", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "llama"),
        ("hf-chat", "HuggingFaceTB/SmolLM2-135M-Instruct", "llama"),
        ("hf-chat", "meta-llama/Llama-3.2-11B-Vision-Instruct", None),
        ("hf-chat", "meta-llama/Llama-4-Scout-17B-16E-Instruct", None),
        ("hf-chat", "llava-hf/llava-v1.6-mistral-7b-hf", None),
        ("hf-asr", "distil-whisper/distil-large-v3.5", "whisper"),
        ("hf-asr", "facebook/wav2vec2-large-960h-lv60-self", "wav2vec2"),
        ("hf-asr", "facebook/wav2vec2-conformer-rope-large-960h-ft", None),
        ("hf-tts", "facebook/mms-tts-kor", "vits"),
        ("hf-tts", "kakao-enterprise/vits-vctk", "vits"),
        ("qwen-omni", "", "qwen2_5_omni"),
        ("qwen-omni", "Qwen/Qwen2.5-Omni-3B", "qwen2_5_omni"),
        ("qwen-omni", "Qwen/Qwen3-Omni-30B-A3B-Thinking", "qwen3_omni_moe"),
    ],
)
def test_a_name_chooses_the_architecture(service: str, name: str, model_type: str | None) -> None:
    from omnigap_services.torch_utils.tiny import chosen

    module = importlib.import_module(f"{adapter_class(service).__module__.rpartition('.')[0]}.tiny")
    if model_type is None:
        with pytest.raises(TinyError, match="--tiny has"):
            chosen(module.KINDS, service, "model", name)
    else:
        assert chosen(module.KINDS, service, "model", name).model_type == model_type


@pytest.mark.parametrize("service", ALL)
def test_a_wrong_option_is_refused_before_anything_is_made(service: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="'colour'"):
        adapter_class(service).build_tiny({"colour": "red"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_given_options_win_and_those_of_the_real_weights_are_dropped(tmp_path: Path) -> None:
    given = {"model": "x/qwen2.5-GGUF", "revision": "a" * 40, "gguf_file": "q4.gguf", "max_new_tokens": 99, "name": "n"}
    found = adapter_class("hf-chat").build_tiny(given, tmp_path)
    assert found == {"model": str(tmp_path), "max_new_tokens": 99, "name": "n", "cpu_threads": 1}


def test_a_folder_on_this_machine_chooses_by_its_config(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "new").mkdir()
    adapter_class("hf-chat").build_tiny({"model": str(tmp_path / "mine")}, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "config.json").read_text())["model_type"] == "qwen3"
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "gemma3"}')
    with pytest.raises(TinyError, match="a gemma3, but --tiny has"):
        adapter_class("hf-chat").build_tiny({"model": str(tmp_path / "mine")}, tmp_path / "new")


def test_a_sentencepiece_model_has_the_layout_of_llamas_and_reads_any_text() -> None:
    from sentencepiece import SentencePieceProcessor

    from omnigap_services.torch_utils.tiny import printable_pieces, sentencepiece_model

    model = sentencepiece_model()
    assert model == sentencepiece_model()
    pieces = SentencePieceProcessor(model_proto=model)
    assert pieces.vocab_size() == 1_000
    assert [pieces.id_to_piece(number) for number in range(4)] == ["<unk>", "<s>", "</s>", "<0x00>"]
    for text in ("What is the capital of France?", "a  b\n", "Wie heißt 東京? 🗣️"):
        assert pieces.decode(pieces.encode(text)) == text
    written = pieces.decode(printable_pieces(model))
    assert written.isascii() and written.isprintable()


def test_a_greedy_answer_has_only_the_chosen_tokens() -> None:
    import torch

    from omnigap_services.torch_utils.generation import seeded
    from omnigap_services.torch_utils.tiny import write_only

    with seeded(0):
        head, hidden = torch.randn(200, 32), torch.randn(500, 32)
    write_only(head, range(100, 150), end=3)
    found = set((hidden @ head.T).argmax(dim=1).tolist())
    assert found <= {3, *range(100, 150)}
    assert len(found) > 25
