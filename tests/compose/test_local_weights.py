"""Weights of this machine in the volume of Compose: whole or not at all, and with one digest in every layout."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from tests.compose.compose_project import ROOT, call, compose, exclusive_engine
from tests.helpers.hub_cache import in_hub_cache

FETCH = (sys.executable, str(ROOT / "docker" / "fetch.py"), "--import")
MICRO_WHISPER = ROOT / "services" / "omnigap_services" / "asr" / "checkpoint"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "my-model"
    (folder / "codec").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "codec" / "model.bin").write_bytes(os.urandom(100_000))
    return folder


def archive(folder: Path, *options: str) -> bytes:
    """What the documented `tar` writes."""
    return subprocess.run(["tar", "-C", str(folder), *(options or ("-ch",)), "."], capture_output=True).stdout


def fetch(volume: Path, data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "OMNIGAP_MODELS": str(volume)}
    return subprocess.run([*FETCH, *arguments], input=data, capture_output=True, env=environment, timeout=60)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_arrives_whole_and_readable(volume: Path, model: Path) -> None:
    (model / "config.json").chmod(0o400)
    (model / "codec").chmod(0o500)
    done = fetch(volume, archive(model), "my-model")
    assert done.returncode == 0, done.stderr
    assert str(volume / "my-model").encode() in done.stdout
    assert content(volume) == {f"my-model/{name}": data for name, data in content(model).items()}
    for path in (volume / "my-model").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_the_links_of_the_hubs_cache_are_followed(volume: Path, model: Path, tmp_path: Path) -> None:
    snapshot = in_hub_cache(model, tmp_path / "hub", "owner/name", COMMIT)
    assert fetch(volume, archive(snapshot), "my-model").returncode == 0
    assert content(volume / "my-model") == content(model)
    unfollowed = fetch(volume, archive(snapshot, "-c"), "other")
    assert unfollowed.returncode == 1 and b"add -h to tar" in unfollowed.stderr
    assert not (volume / "other").exists()


def test_hard_links_are_files(volume: Path, model: Path) -> None:
    os.link(model / "config.json", model / "second.json")
    assert fetch(volume, archive(model), "my-model").returncode == 0
    assert content(volume / "my-model") == content(model)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_an_interrupted_archive_changes_nothing(volume: Path, model: Path, share: float) -> None:
    fetch(volume, archive(model), "my-model")
    before = content(volume)
    (model / "config.json").write_text('{"new": 1}')
    data = archive(model)
    done = fetch(volume, data[: int(share * len(data))], "my-model", "--replace")
    assert done.returncode == 1 and done.stderr
    assert content(volume) == before


def test_an_archive_cut_between_two_files_is_noticed(volume: Path, model: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(model / "config.json", "config.json")
        end = buffer.tell()
        tar.add(model / "codec" / "model.bin", "model.bin")
    done = fetch(volume, buffer.getvalue()[:end], "my-model")
    assert done.returncode == 1 and b"too early" in done.stderr
    assert list(volume.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_ended_can_be_repeated(volume: Path, model: Path, number: signal.Signals) -> None:
    data = archive(model)
    environment = {**os.environ, "OMNIGAP_MODELS": str(volume)}
    process = subprocess.Popen([*FETCH, "my-model"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    process.stdin.write(data[:50_000])
    process.stdin.flush()
    while not (volume / ".import-my-model").is_dir():
        assert process.poll() is None
    busy = fetch(volume, data, "my-model")
    assert busy.returncode == 1 and b"being imported" in busy.stderr
    process.send_signal(number)
    process.communicate()
    assert not (volume / "my-model").exists()
    if number is not signal.SIGKILL:
        assert list(volume.iterdir()) == []
    assert fetch(volume, data, "my-model").returncode == 0
    assert content(volume) == {f"my-model/{name}": found for name, found in content(model).items()}


def test_an_existing_name_is_replaced_only_on_demand(volume: Path, model: Path) -> None:
    assert fetch(volume, archive(model), "my-model").returncode == 0
    before = content(volume)
    (model / "config.json").write_text('{"new": 1}')
    (model / "codec" / "model.bin").unlink()
    refused = fetch(volume, archive(model), "my-model")
    assert refused.returncode == 1 and b"--replace" in refused.stderr
    assert content(volume) == before
    assert fetch(volume, archive(model), "my-model", "--replace").returncode == 0
    assert content(volume / "my-model") == content(model)
    assert [path.name for path in volume.iterdir()] == ["my-model"]


def test_a_full_volume_is_named_and_left_as_it_was(volume: Path, model: Path) -> None:
    # RLIMIT_FSIZE ends a write with EFBIG, as a full disk ends it with ENOSPC.
    limited = ("bash", "-c", 'trap "" XFSZ; ulimit -f 50; exec "$@"', "_", *FETCH, "my-model")
    environment = {**os.environ, "OMNIGAP_MODELS": str(volume)}
    done = subprocess.run(limited, input=archive(model), capture_output=True, env=environment, timeout=60)
    assert done.returncode == 1 and b"nothing was imported" in done.stderr
    assert list(volume.iterdir()) == []


def test_a_file_that_tar_could_not_read_is_noticed_by_the_index(volume: Path, model: Path) -> None:
    shards = {f"layer{number}": f"model-{number}.safetensors" for number in (1, 2)}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (model / "model-1.safetensors").write_bytes(b"1")
    done = fetch(volume, archive(model), "my-model")
    assert done.returncode == 1 and b"model-2.safetensors is missing" in done.stderr
    (model / "model-2.safetensors").write_bytes(b"2")
    assert fetch(volume, archive(model), "my-model").returncode == 0


@pytest.mark.parametrize("name", ["", "hub", ".hidden", "a/b", "..", "-x", "a b"])
def test_names_outside_the_volumes_own_folders_are_refused(volume: Path, model: Path, name: str) -> None:
    assert fetch(volume, archive(model), name).returncode == 2
    assert list(volume.iterdir()) == []


@pytest.mark.parametrize("member", ["../outside", "/etc/outside", "a/../../outside"])
def test_no_file_leaves_the_folder(volume: Path, tmp_path: Path, member: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(member))
    done = fetch(volume, buffer.getvalue(), "my-model")
    assert done.returncode == 1 and b"outside" in done.stderr
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("data", [b"", b"no archive" * 1000, bytes(10240)])
def test_what_is_no_archive_of_files_is_refused(volume: Path, data: bytes) -> None:
    done = fetch(volume, data, "my-model")
    assert done.returncode == 1 and b"tar -C FOLDER" in done.stderr
    assert list(volume.iterdir()) == []


@pytest.fixture
def project() -> Iterator[None]:
    with exclusive_engine():
        compose("--profile", "*", "down", "--volumes", "--remove-orphans")
        try:
            compose("build", "asr", "fetch", timeout_s=2_400)
            yield
        finally:
            print(compose("logs", "--no-color", "--tail", "40", check=False))
            compose("--profile", "*", "down", "--volumes", "--remove-orphans")


@pytest.mark.compose
@pytest.mark.timeout(3_600)
@pytest.mark.usefixtures("project")
def test_folder_and_hub_name_have_one_digest_in_containers(tmp_path: Path) -> None:
    """The folder belongs to a user of the host and is private; the cache has blobs and links, as a download makes."""
    folder = tmp_path / "my-whisper"
    shutil.copytree(MICRO_WHISPER, folder)
    for path in folder.iterdir():
        path.chmod(0o600)
    in_hub_cache(MICRO_WHISPER, tmp_path / "hub", "omnigap/micro", COMMIT)
    into = "docker compose run --rm -T"
    _shell(f"tar -C {folder} -ch . | {into} fetch --import my-whisper")
    _shell(f"tar -C {tmp_path} -c hub | {into} --entrypoint tar fetch -xC /models")
    owners = compose("run", "--rm", "-T", "--entrypoint", "stat", "fetch", "-c", "%u %a", "/models/my-whisper")
    assert owners.split() == ["10001", "755"]
    by_folder = _scorer('checkpoint = "/models/my-whisper"')
    by_name = _scorer(f'checkpoint = "omnigap/micro"\nrevision = "{COMMIT}"')
    assert by_folder.digest == by_name.digest
    assert by_folder.weights_revision.endswith(" (my-whisper)")
    assert by_name.weights_revision.endswith(f" (omnigap/micro@{COMMIT})")


def _shell(command: str) -> None:
    done = call("bash", "-o", "pipefail", "-c", command)
    assert done.returncode == 0, done.stderr


def _scorer(options: str) -> pb.DescribeResponse:
    compose("up", "--detach", "--no-build", "--wait", "asr", timeout_s=600, OMNIGAP_ASR_OPTIONS=options)
    with grpc.insecure_channel("127.0.0.1:50062") as channel:
        return ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=60)
