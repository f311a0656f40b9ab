"""Finds the files of Piper voices: by path, by name in folders, in the hub's cache and on the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from omnigap_services.options import OptionsError
from omnigap_services.piper.options import REPOSITORY, SERVICE, PiperOptions
from omnigap_services.weights import files_below, hub_failure, hub_origin

_NAME = re.compile(r"(?P<family>[a-z]{2,3})_(?P<region>[A-Za-z0-9]+)-(?P<voice>[^-/\\]+)-(?P<quality>[^-/\\]+)")
_CARD = "MODEL_CARD"
_CARD_TITLE = re.compile(r"model card for (?P<voice>\S+) \((?P<quality>[^)]+)\)", re.I)
_CARD_FIELD = r"^[\s*-]*{}\s*:\s*(.+?)\s*$"


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """A voice on this machine.

    Attributes:
        name: stem of the .onnx file.
        origin: `rhasspy/piper-voices@COMMIT` for a voice of the hub, else `folder NAME`.
        licence: as its model card states it; "unknown" without one.
        dataset: URL of the recordings that it was trained on; may be empty.
    """

    name: str
    model: Path
    config: Path
    origin: str
    licence: str = "unknown"
    dataset: str = ""

    @property
    def source(self) -> str:
        """For reports: where the voice comes from, and its licence."""
        parts = [self.origin, f"licence {self.licence}", *([self.dataset] if self.dataset else [])]
        return f"{self.name}: {', '.join(parts)}"


def find_voices(options: PiperOptions) -> list[VoiceFiles]:
    """All voices that the option `voices` names, in its order.

    Raises:
        OptionsError: a path or name that has no voice, a voice without its .onnx.json, or two voices of one name.
    """
    found: dict[str, VoiceFiles] = {}
    for entry in options.voices:
        for voice in _voices_of(entry, options):
            known = found.setdefault(voice.name, voice)
            if known.model.resolve() != voice.model.resolve():
                raise _wrong(f"names two voices {voice.name!r}, {known.model} and {voice.model}: remove one")
    return list(found.values())


def _voices_of(entry: str, options: PiperOptions) -> list[VoiceFiles]:
    path = Path(entry).expanduser()
    if path.is_dir():
        names = sorted(name for name in files_below(path) if name.endswith(".onnx") and _has_config(path / name))
        if not names:
            raise _wrong(f"has the folder {entry!r}, which has no .onnx file with its .onnx.json: name another one")
        return [_voice_at(path / name) for name in names]
    if path.suffix == ".onnx" or "/" in entry or entry.startswith((".", "~")):
        if not path.is_file():
            raise _wrong(f"has {entry!r}, which does not exist: name an .onnx file, a folder or a voice")
        return [_voice_at(path)]
    return [_in_folders(entry, options.folders) or _from_hub(entry, options)]


def _has_config(path: Path) -> bool:
    return path.with_name(f"{path.name}.json").is_file()


def _voice_at(path: Path) -> VoiceFiles:
    """The voice of an .onnx file, with the licence of the model card beside it.

    Raises:
        OptionsError: it is another kind of file, or has no .onnx.json.
    """
    if path.suffix != ".onnx":
        raise _wrong(f"has {str(path)!r}: name the voice's .onnx file")
    if not _has_config(path):
        raise _wrong(f"has {str(path)!r}, but {path.name}.json is not beside it: download it from the same place")
    config = path.with_name(f"{path.name}.json")
    return VoiceFiles(path.stem, path, config, _origin_of(path), *_licence(path))


def _origin_of(path: Path) -> str:
    """The repository and commit of a file in the hub's cache, else its folder."""
    repository, commit, _ = hub_origin(path)
    return f"{repository}@{commit}" if commit else f"folder {path.absolute().parent.name}"


def _licence(path: Path) -> tuple[str, str]:
    """Licence and data set of the model card in a voice's folder, if it is this voice's card."""
    card = path.with_name(_CARD)
    if not card.is_file():
        return "unknown", ""
    text = card.read_text(encoding="utf-8", errors="replace")
    title, name = _CARD_TITLE.search(text), _NAME.fullmatch(path.stem)
    only = sum(1 for _ in path.parent.glob("*.onnx")) == 1
    if not only and not (title and name and title.group("voice", "quality") == name.group("voice", "quality")):
        # A folder with several voices has one file of this name, which may be another voice's.
        return "unknown", ""
    return _field(text, "licen[sc]e") or "unknown", _field(text, "url")


def _field(text: str, name: str) -> str:
    found = re.search(_CARD_FIELD.format(name), text, re.I | re.M)
    return " ".join(found[1].split())[:200] if found else ""


def _in_folders(name: str, folders: tuple[str, ...]) -> VoiceFiles | None:
    """The voice of a name in the first folder that has it; None if none has."""
    for given in folders:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise OptionsError(f"service {SERVICE}: option 'folders' has {given!r}, which is not a folder")
        for found in sorted(files_below(folder)):
            path = PurePosixPath(found)
            # A folder may contain the hub's cache, whose voices are found by their revision.
            if path.name == f"{name}.onnx" and not any(part.startswith("models--") for part in path.parts):
                return _voice_at(folder / found)
    return None


def _from_hub(name: str, options: PiperOptions) -> VoiceFiles:
    """The voice from the hub's cache, else downloaded into it."""
    parts = _NAME.fullmatch(name)
    searched = f"not in the option folders ({', '.join(options.folders) or 'empty'})"
    if parts is None:
        raise _wrong(
            f"has {name!r}, which is {searched} and not a name of {REPOSITORY}, such as 'en_US-joe-medium': name an"
            " .onnx file, a folder or a voice"
        )
    code = f"{parts['family']}_{parts['region']}"
    remote = f"{parts['family']}/{code}/{parts['voice']}/{parts['quality']}"
    files = [f"{remote}/{_CARD}", f"{remote}/{name}.onnx.json", f"{remote}/{name}.onnx"]
    try:
        return _voice_at(_downloaded(files, options.revision, cached=True))
    except (OSError, ValueError):
        # Not or not wholly in the cache.
        pass
    try:
        return _voice_at(_downloaded(files, options.revision))
    except Exception as error:  # huggingface_hub and its HTTP client have no common base class
        failure = hub_failure(REPOSITORY, options.revision, error, f"--include '{remote}/*'")
        raise _wrong(
            f"has {name!r}, which is {searched}; {REPOSITORY} at {options.revision} is {failure}, or put {name}.onnx"
            f" and {name}.onnx.json into a folder and name that folder here"
        ) from error


def _downloaded(files: list[str], revision: str, cached: bool = False) -> Path:
    """Path of the last file; `cached` refuses the network."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    path = ""
    for file in files:
        try:
            path = hf_hub_download(REPOSITORY, file, revision=revision, local_files_only=cached)
        except EntryNotFoundError as error:
            # A voice may have no model card; but an unreachable hub is an error of the same class.
            if not file.endswith(_CARD) or (isinstance(error, LocalEntryNotFoundError) and not cached):
                raise
    return Path(path)


def _wrong(text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option 'voices' {text}")
