"""A digest depends on the source code that changes answers, also in other packages than the adapter's."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from omnigap_services.asr.options import AsrOptions
from omnigap_services.source import files_hash, source_hash

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")


def test_the_hash_of_a_package_covers_every_module_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "borrowed_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('hashing imports nothing')\n")
    (folder / "engine.py").write_text("BEAMS = 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = source_hash("borrowed_package")
    (folder / "notes.txt").write_text("no code")
    assert source_hash("borrowed_package") == before
    (folder / "engine.py").write_text("BEAMS = 6\n")
    after = source_hash("borrowed_package")
    assert after != before
    (folder / "engine.py").rename(folder / "motor.py")
    assert source_hash("borrowed_package") not in (before, after)


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.py", "b.py")]
    for path in paths:
        path.write_text(path.name)
    assert files_hash(paths) == files_hash(reversed(paths))


def test_an_unknown_module_is_refused_by_name() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"omnigap_services\.no_such_module"):
        source_hash("omnigap_services.no_such_module")


def test_a_module_is_hashed_without_its_package() -> None:
    single = source_hash("omnigap_services.options")
    assert single != source_hash("omnigap_services.options", "omnigap_services.audio")


@pytest.mark.skipif(not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing")
def test_the_digest_of_in_process_asr_covers_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from omnigap_services.cascade import recognition

    hashed: list[str] = []

    def another_source(*names: str) -> str:
        hashed.extend(names)
        return "another"

    before = recognition.InProcessAsr(AsrOptions()).part.digest
    monkeypatch.setattr(recognition, "source_hash", another_source)
    assert recognition.InProcessAsr(AsrOptions()).part.digest != before
    assert {recognition.AsrEngine.__module__.rpartition(".")[0], recognition.check_clip.__module__} <= set(hashed)
