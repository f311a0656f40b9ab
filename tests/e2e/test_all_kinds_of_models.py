"""One run and one report over both Qwen-Omni families, an HTTP server, a real Triton and the cascade, all at once."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.helpers.chat_server import MODEL, ChatServer
from tests.helpers.running import COMMAND, Setting, item
from tests.helpers.tiny_checkpoint import write_checkpoint
from tests.services.triton_server.triton_env import NoTritonError
from tests.services.triton_server.triton_options import OMNI
from tests.services.triton_server.triton_process import Triton

ROOT = Path(__file__).parents[2]
NEEDED = ("torch", "transformers", "torchvision", "accelerate")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.timeout(1_200),
    pytest.mark.skipif(bool(MISSING), reason=f"NOT TESTED: {', '.join(MISSING)} is not installed: make models"),
]

CAPS = {"max_new_tokens": 8, "talker_max_new_tokens": 12, "cpu_threads": 1, "device": "cpu"}
ITEMS = [
    item("france", question="What is the capital of France?"),
    item("peru", question="What is the capital of Peru?"),
]


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def triton(tmp_path: Path) -> Iterator[Triton]:
    try:
        server = Triton.start(tmp_path, ["omni"])
    except NoTritonError as error:
        pytest.skip(f"NOT CHECKED against a real Triton server: {error}")
    yield server
    server.kill()


def tiny(model_type: str, folder: Path) -> dict[str, object]:
    """Options with a checkpoint of random weights of one family."""
    checkpoint = write_checkpoint("qwen-omni", f'checkpoint = "{model_type}"', folder)
    return {"checkpoint": str(checkpoint), **CAPS}


def test_one_run_measures_models_of_every_kind(tmp_path: Path, chat: ChatServer, triton: Triton) -> None:
    services = {
        "espeak": {},
        "asr": {},
        "demo": {"options": {"tts": "@espeak"}},
        "qwen25": {
            "service": "qwen-omni",
            "options": tiny("qwen2_5_omni", tmp_path / "qwen25"),
        },
        "qwen3": {
            "service": "qwen-omni",
            "options": tiny("qwen3_omni_moe", tmp_path / "qwen3"),
        },
        "hosted": {"service": "openai", "options": {"base_url": chat.url, "model": MODEL, "name": "hosted"}},
        "on-triton": {"service": "triton", "options": {"url": triton.url, **OMNI}},
    }
    setting = Setting(tmp_path / "run", items=ITEMS, tables={"fleet": {"kind": "embedded", "services": services}})
    config = setting.write()
    text = config.read_text()
    # The fleet starts all of them: no endpoint is configured.
    config.write_text(text.replace("[scorer]\nendpoints = []\n", "").replace("[tts]\nendpoints = []\n", ""))
    done = subprocess.run(
        [sys.executable, *COMMAND, "run", "--config", str(config), "--quiet"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    table = pl.read_parquet(setting.folder.results)
    answered = dict(table.filter(outcome="answered").group_by("model").len().iter_rows())
    assert answered == dict.fromkeys(("demo", "qwen25", "qwen3", "hosted", "on-triton"), 6 * len(ITEMS))
    types = dict(table.select("model", "architecture").unique().iter_rows())
    assert (types["qwen25"], types["qwen3"], types["demo"]) == ("native_omni", "moe", "cascade")
    assert table.filter(output="speech", outcome="answered")["asr_digest"].n_unique() <= 2  # silent answers have none
    assert table["model_digest"].n_unique() == 5
    summary = json.loads(setting.folder.summary.read_text(encoding="utf-8"))
    assert summary["complete"]
    assert set(summary["models"]) == set(answered)
    report = setting.folder.report.read_text(encoding="utf-8")
    assert all(name in report for name in answered)
