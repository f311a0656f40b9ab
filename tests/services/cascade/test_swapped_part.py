"""Real services: a model whose TTS is replaced ends, and is another model after its restart."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from omnigap.vocabulary import Modality
from omnigap_orchestrator.fleet.embedded import Child
from omnigap_services.serve import RESTART_STATUS
from tests.helpers.serve_command import PATIENCE_S, Launch, announced
from tests.helpers.serve_process import Served
from tests.helpers.served_doubles import STABLE_PORTS

QUESTION = "What is the capital of France?"


@pytest.fixture
def port() -> int:
    """A free port that no client gets meanwhile."""
    for port in random.sample(STABLE_PORTS, 100):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("no free port")


def voice(launch: Launch, port: int, words_per_minute: int) -> tuple[subprocess.Popen[str], str]:
    """An espeak on the port, and its digest, which depends on the rate."""
    process = launch("espeak", "--port", str(port), "--options", f"words_per_minute = {words_per_minute}")
    return process, str(announced(process)["digest"])


def swap(launch: Launch, process: subprocess.Popen[str], port: int, words_per_minute: int) -> str:
    process.terminate()
    process.wait(PATIENCE_S)
    return voice(launch, port, words_per_minute)[1]


@pytest.mark.parametrize(
    ("name", "more"), [("demo", {}), ("cascade", {"llm": "LLM", "direct": []})], ids=["demo", "cascade"]
)
def test_the_model_ends_with_a_line_that_names_the_part(
    launch: Launch, port: int, name: str, more: dict[str, object]
) -> None:
    tts, before = voice(launch, port, 150)
    options = {"tts": f"127.0.0.1:{port}", "asr": "none", "ocr": "none", **more}
    if name == "cascade":
        llm = announced(launch("echo"))
        options["llm"] = f"{llm['host']}:{llm['port']}"
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
    model = launch(name, "--options", text)
    first = announced(model)
    after = swap(launch, tts, port, 170)
    # No call was made: the model itself finds out.
    _, err = model.communicate(timeout=PATIENCE_S)
    assert model.returncode == RESTART_STATUS == 75
    line = next(line for line in err.splitlines() if " ERROR " in line)
    for word in (name, "status 75", f"the TTS service at 127.0.0.1:{port} (option tts) has changed", before, after):
        assert word in line
    assert "Traceback" not in err
    second = announced(launch(name, "--options", text))
    assert second["digest"] != first["digest"]


async def test_the_embedded_fleet_starts_it_again_with_the_new_digest(
    launch: Launch, tmp_path: Path, port: int
) -> None:
    tts, _ = voice(launch, port, 150)
    options = tmp_path / "demo.toml"
    options.write_text(f'tts = "127.0.0.1:{port}"\nasr = "none"\nocr = "none"\n')
    notes: list[str] = []
    restarted = asyncio.Event()

    def note(text: str) -> None:
        notes.append(text)
        if "restarted" in text:
            restarted.set()

    demo = Child("demo", "demo", options, tmp_path / "demo.log", note)
    await demo.start(PATIENCE_S)
    served = Served(demo.address, process=None)  # type: ignore[arg-type]
    ask = partial(asyncio.to_thread, served.ask, QUESTION, output=Modality.SPEECH)
    try:
        first = (await ask()).complete.digest
        after = await asyncio.to_thread(swap, launch, tts, port, 170)
        async with asyncio.timeout(PATIENCE_S):
            await restarted.wait()
        assert any("exit code 75" in note and after in note for note in notes)
        second = await asyncio.to_thread(served.describe)
        assert second.digest != first
        assert second.parts[0].digest == after
        assert (await ask()).complete.digest == second.digest
    finally:
        served.channel.close()
        await demo.stop()
