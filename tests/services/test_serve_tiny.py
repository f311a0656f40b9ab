"""`omnigap-serve --tiny` as a process: what is served, the temporary folder, and services without it."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import grpc
import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from tests.helpers.serve_command import PATIENCE_S, Launch, announced, failure

# Its weights are one file, which it answers with.
MODEL = """
import sys, time
from pathlib import Path
from omnigap.vocabulary import Condition
from omnigap_services.adapter import NATIVE, Adapter, Card, TinyError
from omnigap_services.options import Options, read_options
from omnigap_services.weights import content_revision

class Fine(Adapter):
    def __init__(self, options):
        super().__init__(options)

    @classmethod
    def build_tiny(cls, options, folder):
        if options.get("checkpoint") == "unknown":
            raise TinyError("option 'checkpoint' is 'unknown': leave it out")
        assert folder.is_dir() and not list(folder.iterdir())
        (folder / "weights").write_text("tiny weights")
        return {"words": 3, **options, "checkpoint": str(folder)}

    def load(self):
        folder = Path(self.options["checkpoint"])
        return Card(
            folder.name,
            {Condition.parse("t2t"): NATIVE},
            weights_revision=content_revision(folder, ["weights"]),
            settings={key: str(value) for key, value in self.options.items() if key != "checkpoint"},
        )

    def generate(self, batch):
        for turn in batch:
            turn.write(Path(self.options["checkpoint"], "weights").read_text())

# Without a constructor of its own.
Bare = type("Bare", (Adapter,), {key: value for key, value in vars(Fine).items() if key != "__init__"})

class Slow(Fine):
    @classmethod
    def build_tiny(cls, options, folder):
        print("building", file=sys.stderr, flush=True)
        while True:
            time.sleep(0.01)

class Full(Fine):
    @classmethod
    def build_tiny(cls, options, folder):
        raise OSError(28, "No space left on device")

class FullForSafetensors(Fine):
    @classmethod
    def build_tiny(cls, options, folder):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

class Strict(Fine):
    def __init__(self, options):
        super().__init__(read_options(StrictOptions, "strict", options).model_dump())

    @classmethod
    def build_tiny(cls, options, folder):
        return {**Fine.build_tiny(options, folder), "depth": 3}

class StrictOptions(Options):
    checkpoint: str = ""
    words: int = 3

class Forgetful(Fine):
    @classmethod
    def build_tiny(cls, options, folder):
        Fine.build_tiny(options, folder)

class Without(Adapter):
    def load(self):
        raise AssertionError
    def generate(self, batch):
        raise AssertionError
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files, beside the module of the models."""
    (tmp_path / "own_model.py").write_text(textwrap.dedent(MODEL))
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def describe(ready: dict[str, object]) -> pb.DescribeResponse:
    with grpc.insecure_channel(f"{ready['host']}:{ready['port']}") as channel:
        return ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=PATIENCE_S)


def test_the_card_and_the_announcement_say_that_the_weights_are_random(launch: Launch, temporary: Path) -> None:
    process = launch("own_model:Fine", "--tiny", TMPDIR=str(temporary))
    ready = announced(process)
    described = describe(ready)
    assert ready["random_weights"] is True
    assert described.random_weights
    assert described.settings["weights"] == "random (--tiny)"
    assert described.name == "Fine-tiny"
    process.terminate()
    _, log = process.communicate(timeout=PATIENCE_S)
    assert "own_model:Fine answers with tiny random weights" in log


def test_equal_options_have_one_digest_in_another_folder_and_others_have_another(
    launch: Launch, temporary: Path
) -> None:
    def digest(*options: str) -> object:
        return announced(launch("own_model:Fine", "--tiny", *options, TMPDIR=str(temporary)))["digest"]

    assert digest() == digest()
    assert digest() != digest("--options", "words = 4")


def test_an_adapter_that_takes_no_options_gets_those_of_its_checkpoint(launch: Launch, temporary: Path) -> None:
    assert announced(launch("own_model:Bare", "--tiny", TMPDIR=str(temporary)))["random_weights"] is True
    arguments = ("own_model:Bare", "--tiny", "--options", "words = 4")
    assert "takes no options, but got words" in failure(launch(*arguments, TMPDIR=str(temporary)))


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM], [signal.SIGINT]])
def test_the_temporary_folder_is_removed_at_the_end(
    launch: Launch, temporary: Path, signals: list[signal.Signals]
) -> None:
    process = launch("own_model:Fine", "--tiny", TMPDIR=str(temporary))
    announced(process)
    assert [path.name for path in temporary.glob("omnigap-tiny-*/*/weights")] == ["weights"]
    for signum in signals:
        process.send_signal(signum)
    assert process.wait(PATIENCE_S) == 0
    assert list(temporary.glob("omnigap-*")) == []


def test_a_signal_while_the_checkpoint_is_made_removes_it_too(launch: Launch, temporary: Path) -> None:
    process = launch("own_model:Slow", "--tiny", TMPDIR=str(temporary))
    assert process.stderr is not None
    assert any(line == "building\n" for line in process.stderr)
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert list(temporary.glob("omnigap-*")) == []


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("own_model:Fine", "checkpoint = 'unknown'", "leave it out"),
        ("own_model:Full", "", "No space left on device): set TMPDIR"),
        ("own_model:FullForSafetensors", "", "(os error 28)): set TMPDIR"),
        ("own_model:Fine", "words = ", "not valid TOML"),
        ("own_model:Strict", "words = 4", "unknown option 'depth' (known: checkpoint, words) (depth: --tiny)"),
        ("own_model:Strict", "words = 'many'", "(words: --options; depth: --tiny)"),
        ("own_model:Forgetful", "", "build_tiny of service own_model:Forgetful returned None"),
    ],
)
def test_a_checkpoint_that_cannot_be_made_is_an_error_and_leaves_nothing(
    launch: Launch, temporary: Path, name: str, options: str, words: str
) -> None:
    message = failure(launch(name, "--tiny", "--options", options, TMPDIR=str(temporary)))
    assert words in message
    assert "Traceback" not in message
    assert list(temporary.glob("omnigap-*")) == []


def test_options_of_a_file_and_of_the_command_replace_the_limits_of_the_builder(
    launch: Launch, temporary: Path, tmp_path: Path
) -> None:
    (tmp_path / "options.toml").write_text("words = 7\ncolour = 'red'\nrevision = 'r'")
    process = launch(
        *("own_model:Fine", "--tiny", "--config", "options.toml", "--options", "colour = 'blue'"),
        TMPDIR=str(temporary),
    )
    settings = describe(announced(process)).settings
    assert (settings["words"], settings["colour"]) == ("7", "blue")


@pytest.mark.parametrize(("value", "tiny"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_flag_can_come_from_the_environment(launch: Launch, temporary: Path, value: str, tiny: bool) -> None:
    (temporary / "real").mkdir()
    (temporary / "real" / "weights").write_text("real weights")
    options = f"checkpoint = '{temporary / 'real'}'"
    ready = announced(launch("own_model:Fine", "--options", options, OMNIGAP_SERVE_TINY=value, TMPDIR=str(temporary)))
    described = describe(ready)
    assert ready["random_weights"] is tiny
    assert described.random_weights is tiny
    assert ("weights" in described.settings) is tiny
    assert described.name == ("Fine-tiny" if tiny else "real")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("echo", "loads no weights"),
        ("cascade", "start those with --tiny"),
        ("openai", "loads no weights"),
        ("asr", "part of omnigap"),
        ("piper", "60 MB"),
        ("own_model:Without", "no build_tiny"),
    ],
)
def test_a_service_without_it_names_those_with_it(launch: Launch, temporary: Path, name: str, reason: str) -> None:
    message = failure(launch(name, "--tiny", TMPDIR=str(temporary)))
    assert f"service {name} has no --tiny" in message
    assert reason in message
    assert all(service in message for service in ("anygpt", "hf-asr", "hf-chat", "hf-tts", "nextgpt", "qwen-omni"))
    assert "Traceback" not in message
    assert list(temporary.glob("omnigap-*")) == []
