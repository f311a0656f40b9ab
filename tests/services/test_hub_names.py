"""Names of the hub in services, against a double of the hub: what is downloaded, cached, and said when it fails.

No file of the real hub was ever downloaded by this project.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hub_double import COMMIT, TOKEN, HubDouble, Repository, serve_hub

MICRO = Path(str(files("omnigap_services.asr").joinpath("checkpoint")))
OTHER_COMMIT = "f" * 40
ASR, CHAT, CHAT_GGUF = "Systran/faster-whisper-tiny.en", "someone/chat", "someone/chat-GGUF"
VOICES = "rhasspy/piper-voices"
VOICE = "en/en_US/joe/medium/en_US-joe-medium.onnx"

# huggingface_hub reads its variables when it is imported, hence the process.
CLIENT = """
import json, sys
from omnigap_services.asr.checkpoint_files import find_checkpoint
from omnigap_services.asr.options import AsrOptions
from omnigap_services.options import OptionsError
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import PiperOptions
from omnigap_services.torch_utils.checkpoint import find_weights
from omnigap_services.hf.chat.gguf_files import find_gguf

def find(service, given):
    if service == "asr":
        found = find_checkpoint(AsrOptions(**given))
        return {"folder": str(found.folder), "revision": found.revision, "source": found.source}
    if service == "piper":
        (voice,) = find_voices(PiperOptions(**given))
        return {"folder": str(voice.model.parent), "source": voice.source}
    arguments = ("hf-chat", "model", given["model"], given.get("revision", ""))
    found = find_gguf(*arguments, given.get("gguf_file", "")) or find_weights(*arguments)
    return {"folder": str(found.folder), "revision": found.revision, "source": found.source}

for service, given in json.loads(sys.argv[1]):
    try:
        print(json.dumps(find(service, given)))
    except OptionsError as error:
        print(json.dumps({"error": str(error)}))
"""


@dataclass(frozen=True)
class Named:
    """A service whose options name a repository.

    Attributes:
        option: that holds the name, for messages.
        weights: path of its largest file.
    """

    service: str
    options: dict[str, object]
    repository: str
    option: str
    weights: str


GGUF = "chat.Q4_1.gguf"
NAMED = {
    "asr": Named("asr", {"checkpoint": ASR}, ASR, "checkpoint", "model.bin"),
    "chat": Named("hf-chat", {"model": CHAT, "revision": COMMIT}, CHAT, "model", "model.safetensors"),
    "gguf": Named("hf-chat", {"model": CHAT_GGUF, "revision": COMMIT, "gguf_file": GGUF}, CHAT_GGUF, "model", GGUF),
    "piper": Named("piper", {"voices": ["en_US-joe-medium"]}, VOICES, "voices", VOICE),
}
EVERY = tuple(NAMED)


@dataclass
class Client:
    """Services that look names up on the double, with a cache of their own."""

    hub: HubDouble
    cache: Path
    variables: dict[str, str] = field(default_factory=dict)

    def find(self, *names: str, **changed: object) -> dict[str, dict[str, Any]]:
        """What the services find for their options, or the error, by name of NAMED.

        Args:
            changed: options that replace those of NAMED.
        """
        given = [(NAMED[name].service, {**NAMED[name].options, **changed}) for name in names]
        ended = subprocess.run(
            [sys.executable, "-c", CLIENT, json.dumps(given)],
            env={**self.hub.environment(self.cache), **self.variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return dict(zip(names, map(json.loads, ended.stdout.splitlines()), strict=True))

    def errors(self, *names: str, **changed: object) -> dict[str, str]:
        """The errors of services that must all fail."""
        return {name: said["error"] for name, said in self.find(*names, **changed).items()}

    def repository(self, name: str) -> Repository:
        return self.hub.repositories[NAMED[name].repository]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    large = bytes(range(256)) * 100
    with serve_hub() as hub:
        hub.repositories = {
            ASR: Repository.of(MICRO),
            CHAT: Repository(
                {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": large, "onnx/model.onnx": large}
            ),
            CHAT_GGUF: Repository({GGUF: b"GGUF" + large, "chat.Q8_0.gguf": b"GGUF" + 2 * large}),
            VOICES: Repository(
                {VOICE: large, f"{VOICE}.json": b'{"audio": {}}', f"{VOICE.rpartition('/')[0]}/MODEL_CARD": b"# Model"},
                names={"main", "v1.0.0"},
            ),
        }
        yield Client(hub, tmp_path / "cache")


def test_a_name_is_downloaded_once_and_recorded_with_its_commit(client: Client) -> None:
    found = client.find(*EVERY)
    for name, said in found.items():
        assert f"{NAMED[name].repository}@{COMMIT}" in said["source"], said
        assert Path(said["folder"]).is_relative_to(client.cache)
        assert any(path.endswith(NAMED[name].weights) for path in client.hub.downloads)
    # Of a repository with the same weights in several formats, only one is read.
    assert not any(path.endswith(("chat.Q8_0.gguf", "onnx/model.onnx")) for path in client.hub.downloads)
    before = len(client.hub.downloads)
    assert client.find(*EVERY) == found
    assert len(client.hub.downloads) == before


def test_a_short_name_is_that_of_faster_whisper(client: Client) -> None:
    assert client.find("asr", checkpoint="tiny.en")["asr"]["revision"] == client.find("asr")["asr"]["revision"]


def test_a_checkpoint_of_the_hub_has_the_digest_of_the_same_files_in_a_folder(client: Client, tmp_path: Path) -> None:
    found = client.find("asr")["asr"]
    folder = tmp_path / "copy"
    shutil.copytree(found["folder"], folder)
    assert client.find("asr", checkpoint=str(folder))["asr"]["revision"] == found["revision"]


@pytest.mark.parametrize("fault", ["offline", "hub down"])
def test_what_the_cache_holds_is_used_without_the_hub(client: Client, fault: str) -> None:
    found = client.find(*EVERY)
    client.hub.asked.clear()
    _lose(client, fault)
    assert client.find(*EVERY) == found
    assert client.hub.asked == []


@pytest.mark.parametrize("fault", ["offline", "hub down", "no repository", "gated", "token without access"])
def test_without_a_cache_the_error_names_the_option_and_the_repository(client: Client, fault: str) -> None:
    _lose(client, fault)
    for name, error in client.errors(*EVERY).items():
        assert NAMED[name].option in error, error
        assert NAMED[name].repository in error, error
        if fault in ("gated", "token without access"):
            assert "gated" in error.lower(), error


def test_a_gated_repository_is_downloaded_with_a_token(client: Client) -> None:
    for repository in client.hub.repositories.values():
        repository.gated = True
    client.variables["HF_TOKEN"] = TOKEN
    assert not any("error" in said for said in client.find(*EVERY).values())
    # Large files come from another host, which must not get the token.
    assert {each.authorization for each in client.hub.asked if each.path.startswith("/cdn/")} == {""}


def test_an_unknown_revision_is_refused(client: Client) -> None:
    for name, error in client.errors(*EVERY, revision=OTHER_COMMIT).items():
        assert NAMED[name].repository in error
        assert OTHER_COMMIT in error, error


@pytest.mark.parametrize("revision", ["", "main", COMMIT[:7]])
def test_the_name_of_a_chat_model_needs_a_full_commit(client: Client, revision: str) -> None:
    for error in client.errors("chat", "gguf", revision=revision).values():
        assert "full commit (40 hex digits" in error
    assert client.hub.downloads == []


def test_a_file_that_breaks_off_is_never_used(client: Client) -> None:
    for name in EVERY:
        client.repository(name).truncated.add(NAMED[name].weights)
    for name, error in client.errors(*EVERY).items():
        assert NAMED[name].repository in error
    # The hub is whole again, and the next start gets all of it.
    for name in EVERY:
        client.repository(name).truncated.clear()
    for name, said in client.find(*EVERY).items():
        data = (Path(said["folder"]) / Path(NAMED[name].weights).name).read_bytes()
        assert data == client.repository(name).files[NAMED[name].weights]


def test_a_repository_without_the_weights_is_refused(client: Client) -> None:
    for name in EVERY:
        del client.repository(name).files[NAMED[name].weights]
    # Of a chat model, transformers names missing weights when it loads; what is looked for before that is the config.
    del client.repository("chat").files["config.json"]
    for name, error in client.errors(*EVERY).items():
        assert NAMED[name].repository in error


def test_an_altered_file_changes_the_revision(client: Client) -> None:
    """Files of the size of a small checkpoint are read, and not only known by the hub's name for them."""
    before = client.find("asr", "gguf")
    for name in ("asr", "gguf"):
        repository, path = client.repository(name), NAMED[name].weights
        data = repository.files[path]
        repository.altered[path] = data[:-1] + bytes([data[-1] ^ 1])
    shutil.rmtree(client.cache)
    after = client.find("asr", "gguf")
    assert all(before[name]["revision"] != after[name].get("revision") for name in before)


def _lose(client: Client, fault: str) -> None:
    """Takes the hub or its repositories away."""
    if fault == "offline":
        client.variables["HF_HUB_OFFLINE"] = "1"
    elif fault == "hub down":
        client.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
    elif fault == "no repository":
        client.hub.repositories.clear()
    else:
        for repository in client.hub.repositories.values():
            repository.gated = True
        if fault == "token without access":
            client.variables["HF_TOKEN"] = "hf_of_somebody_else"
