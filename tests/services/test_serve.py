"""`omnigap-serve` as a process: its announcement, its exit, and its errors at the start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.request import urlopen

import grpc
import psutil
import pytest

from omnigap.channel import channel_options
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Reason
from omnigap_services.serve import exposure_warning
from tests.helpers.serve_command import PATIENCE_S, PROGRAM, Launch, announced, failure


def config(folder: Path, text: str) -> str:
    path = folder / "options.toml"
    path.write_text(text)
    return str(path)


def test_the_announced_address_answers(launch: Launch) -> None:
    process = launch("echo", "--metrics-port", "0")
    ready = announced(process)
    assert ready["event"] == "serving"
    assert ready["name"] == "echo"
    assert ready["metrics_port"]
    address = f"{ready['host']}:{ready['port']}"
    with grpc.insecure_channel(address, options=channel_options(address)) as channel:
        description = ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=PATIENCE_S)
    assert description.digest == ready["digest"]
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (0, "")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_running_answers_and_exits_with_0(
    launch: Launch, tmp_path: Path, signum: signal.Signals
) -> None:
    process = launch("echo", "--metrics-port", "0", "--config", config(tmp_path, "delay_s = 1.0"))
    ready = announced(process)
    metrics = f"http://{ready['host']}:{ready['metrics_port']}/metrics"
    with grpc.insecure_channel(f"{ready['host']}:{ready['port']}") as channel:
        stub = ModelServiceStub(channel)
        request = pb.GenerateRequest(parts=[pb.InputPart(text="hello")], output=pb.MODALITY_TEXT)
        call = stub.Generate(request, timeout=PATIENCE_S)
        while b"omnigap_inflight 1.0" not in urlopen(metrics, timeout=PATIENCE_S).read():
            assert process.poll() is None  # a sent call is not admitted at once
        process.send_signal(signum)
        assert next(iter(call)).delta.text == "hello"
    assert process.wait(PATIENCE_S) == 0


def test_a_port_in_use_is_an_error_that_names_the_flag(launch: Launch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        message = failure(launch("echo", "--port", port))
        assert port in message
        assert "--port" in message
        assert "--metrics-port" in failure(launch("echo", "--metrics-port", port))


def test_two_servers_never_share_a_port(launch: Launch) -> None:
    ready = announced(launch("echo"))
    assert "--port" in failure(launch("echo", "--port", str(ready["port"])))


def test_an_unknown_service_is_an_error_that_lists_the_known_ones(launch: Launch) -> None:
    message = failure(launch("ecko"))
    assert "'ecko'" in message
    assert "echo, espeak" in message


def test_the_list_shows_every_service_and_its_class(launch: Launch) -> None:
    out, _ = launch("--list").communicate(timeout=PATIENCE_S)
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert {"asr", "cascade", "demo", "echo", "espeak"} <= set(rows)
    assert "omnigap_services.echo:EchoAdapter" in rows["echo"]
    assert rows["echo"].endswith("installed")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("answr = 'x'", "'answr'"),
        ("delay_s = 'long'", "'delay_s'"),
        ("answer = ", "not valid TOML"),
    ],
)
def test_a_wrong_config_names_the_key_and_the_file(launch: Launch, tmp_path: Path, text: str, words: str) -> None:
    message = failure(launch("echo", "--config", config(tmp_path, text)))
    assert words in message
    assert "options.toml" in message


def test_a_missing_config_file_is_named(launch: Launch) -> None:
    message = failure(launch("echo", "--config", "nowhere.toml"))
    assert "cannot read --config nowhere.toml" in message
    assert "Traceback" not in message


def test_a_missing_option_is_named(launch: Launch) -> None:
    message = failure(launch("openai"))
    assert "'model' is missing: add it" in message


def test_flags_can_come_from_the_environment(launch: Launch, tmp_path: Path) -> None:
    process = launch("echo", OMNIGAP_SERVE_METRICS_PORT="0", OMNIGAP_SERVE_HOST="localhost")
    ready = announced(process)
    assert ready["host"] == "localhost"
    assert ready["metrics_port"]


@pytest.mark.parametrize(("arguments", "served"), [([], "echo"), (["espeak"], "espeak")])
def test_the_name_of_an_image_s_service_is_a_default(launch: Launch, arguments: list[str], served: str) -> None:
    assert announced(launch(*arguments, OMNIGAP_SERVE_NAME="echo"))["name"] == served


MODEL = """
from omnigap.vocabulary import Condition
from omnigap_services.adapter import NATIVE, Adapter, Card

class Fine(Adapter):
    def load(self):
        return Card("fine", {Condition.parse("t2t"): NATIVE})
    def generate(self, batch):
        for turn in batch:
            turn.write("fine")

class WithoutWeights(Fine):
    def load(self):
        raise FileNotFoundError("no weights at /models/x: run fetch first")

class WithoutModule(Fine):
    def load(self):
        import a_module_that_is_not_installed

class Endless(Fine):
    def generate(self, batch):
        import threading
        for turn in batch:
            if turn.request.texts != ("Hello.",):
                threading.Event().wait()

class NoAdapter:
    pass
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own_model.py").write_text(textwrap.dedent(MODEL))
    return tmp_path


def test_a_class_in_the_working_directory_is_served_by_its_name(launch: Launch, model: Path) -> None:
    assert announced(launch("own_model:Fine"))["name"] == "own_model:Fine"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_model:WithoutWeights", "run fetch first"),
        ("own_model:WithoutModule", "a_module_that_is_not_installed"),
        ("own_model:Absent", "Absent"),
        ("own_model:NoAdapter", "not a subclass"),
        ("no_such_module:Fine", "no_such_module"),
    ],
)
def test_a_service_that_cannot_be_loaded_exits_with_1(launch: Launch, model: Path, name: str, words: str) -> None:
    assert words in failure(launch(name))


def test_options_for_a_service_that_takes_none_are_refused(launch: Launch, model: Path) -> None:
    assert "takes no options, but got colour" in failure(
        launch("own_model:Fine", "--config", config(model, "colour = 1"))
    )


def test_a_model_that_never_returns_does_not_keep_the_process_alive(launch: Launch, model: Path) -> None:
    process = launch("own_model:Endless", "--drain-seconds", "0.1")
    ready = announced(process)
    with grpc.insecure_channel(f"{ready['host']}:{ready['port']}") as channel:
        stub = ModelServiceStub(channel)
        request = pb.GenerateRequest(parts=[pb.InputPart(text="hello")], output=pb.MODALITY_TEXT)
        call = stub.Generate(request, timeout=PATIENCE_S)
        stub.Describe(pb.DescribeRequest(), timeout=PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as caught:
            next(iter(call))
    assert from_rpc_error(caught.value).reason is Reason.DRAINING
    assert process.wait(PATIENCE_S) == 0


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent_code = f"""
import subprocess, sys
child = subprocess.Popen([{PROGRAM!r}, "echo", "--exit-with-parent"], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline(), flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert parent.stdout is not None
    pid, line = parent.stdout.readline().split(" ", 1)
    ready = json.loads(line)
    with grpc.insecure_channel(f"{ready['host']}:{ready['port']}") as channel:
        ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=PATIENCE_S)
        parent.kill()
        parent.wait(PATIENCE_S)
        wait_for_end(int(pid))
    parent.communicate()


def wait_for_end(pid: int) -> None:
    """Waits until a process that is not a child of ours has ended."""
    try:
        psutil.Process(pid).wait(PATIENCE_S)
    except psutil.NoSuchProcess:
        return


def test_it_does_not_end_when_only_the_starting_thread_ends(launch: Launch, tmp_path: Path) -> None:
    """The kernel sends the signal then too, so the parent's id must be checked."""
    parent_code = f"""
import subprocess, sys, threading
started = []
def start():
    started.append(subprocess.Popen([{PROGRAM!r}, "echo", "--exit-with-parent"], stdout=subprocess.PIPE, text=True))
    print(started[0].stdout.readline(), end="", flush=True)
thread = threading.Thread(target=start)
thread.start()
thread.join()
print("thread ended", flush=True)
sys.stdin.read()
started[0].terminate()
sys.exit(started[0].wait())
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert parent.stdout is not None
    ready = json.loads(parent.stdout.readline())
    assert parent.stdout.readline() == "thread ended\n"
    with grpc.insecure_channel(f"{ready['host']}:{ready['port']}") as channel:
        request = pb.GenerateRequest(parts=[pb.InputPart(text="alive?")], output=pb.MODALITY_TEXT)
        answers = [event.delta.text for event in ModelServiceStub(channel).Generate(request, timeout=PATIENCE_S)]
    assert answers[0] == "alive?"
    parent.communicate(timeout=PATIENCE_S)
    assert parent.returncode == 0


EXPOSED = ["0.0.0.0", "::", "[::]", "", "192.0.2.1", "example.org", "0", "::ffff:0.0.0.0", " 0.0.0.0 "]
PRIVATE = ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]", "LOCALHOST.", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("host", EXPOSED)
def test_an_address_that_others_reach_is_warned_about(host: str) -> None:
    for metrics in (False, True):
        warning = exposure_warning(host, metrics)
        for word in ("no encryption", "no authentication", "GPU", "SSH", "firewall", "--insecure"):
            assert word in warning
        assert ("metrics port" in warning) is metrics


@pytest.mark.parametrize("host", PRIVATE)
def test_loopback_is_not(host: str) -> None:
    assert exposure_warning(host, True) == ""


@pytest.mark.parametrize(
    ("options", "environment"), [((), {}), (("--insecure",), {}), ((), {"OMNIGAP_SERVE_INSECURE": "1"})]
)
def test_insecure_acknowledges_the_address(
    launch: Launch, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    process = launch("echo", "--host", "0.0.0.0", "--log-level", "error", *options, **environment)
    assert announced(process)["host"] == "0.0.0.0"
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE_S)
    assert ("WARNING" in err) is not (options or environment)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 50_000, "a = \udcff", "a = 'x\0'"],
    ids=["deep", "digits", "bytes", "null"],
)
def test_options_beyond_the_parser_are_a_sentence(launch: Launch, tmp_path: Path, text: str) -> None:
    path = tmp_path / "options.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    err = failure(launch("echo", "--config", str(path)))
    assert "Traceback" not in err and "options.toml is not" in err


def test_options_from_a_fifo_are_refused(launch: Launch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "options.toml")
    assert "FIFO" in failure(launch("echo", "--config", str(tmp_path / "options.toml")))


def test_a_service_serves_although_its_announcement_is_lost(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen([PROGRAM, "echo", "--port", port], stdout=full, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert any("announcement" in line for line in process.stderr)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=PATIENCE_S).digest
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
