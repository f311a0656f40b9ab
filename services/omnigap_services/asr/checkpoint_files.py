"""A Whisper checkpoint on this machine: finds its folder, and refuses one that lacks or contradicts itself.

faster-whisper loads many broken folders: it takes OpenAI's values for a preprocessor_config.json that it can't read,
and downloads another model's tokenizer.json if there is none. Transcripts are then wrong without an error.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnigap.errors import OmnigapError
from omnigap_services.asr.checkpoint_name import true_name
from omnigap_services.asr.model_file import ModelFile, ModelFileError, read_model_file
from omnigap_services.asr.options import SHIPPED_CHECKPOINT, SHIPPED_NAME, AsrOptions
from omnigap_services.chunking import SAMPLE_RATE
from omnigap_services.options import OptionsError
from omnigap_services.weights import content_revision, hub_failure

# The files of a checkpoint that CTranslate2 and faster-whisper read. Others, such as a README, change no answer.
_READ = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.json", "vocabulary.txt")
_PREPROCESSOR = "preprocessor_config.json"
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_TRANSFORMERS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# What the converter writes to config.json. A checkpoint may suppress no tokens; the last two are then null.
_CONFIG_LISTS = ("alignment_heads", "lang_ids", "suppress_ids", "suppress_ids_begin")
# Their ids differ between the vocabularies of OpenAI's English, multilingual and large-v3 models.
_SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>")
_STANDARD = {"feature_size": 80, "sampling_rate": SAMPLE_RATE, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
_MAX_SECONDS = 60.0
_MAX_NAMED = 6


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        revision: `sha256:` and the hash of the files that the engine reads.
        source: `NAME@COMMIT`, or the folder's name; for reports.
        features: arguments of the feature extractor; without `feature_size` if neither file says it.
        assumed: what the folder does not say, and what is used instead; empty for a complete one.
        declares_padding: its preprocessor_config.json has `padding_seconds`, so that it was trained with that padding.
        padding_s: seconds to whose multiples clips may be padded; 0: the whole window, as OpenAI's checkpoints need.
        trained_s: seconds that its training clips rarely exceed, if it says so: longer clips are cut in their pauses,
            and speech without a pause for longer is reported; 0: the whole window.
    """

    folder: Path
    name: str
    revision: str
    source: str
    features: Mapping[str, int] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    declares_padding: bool = False
    padding_s: float = 0.0
    trained_s: float = 0.0


def find_checkpoint(options: AsrOptions, prefix: str = "") -> Checkpoint:
    """The checkpoint in a folder, or with a hub name (downloaded if needed); an empty name is the shipped one.

    Args:
        prefix: of the names of options, for errors: `asr_` in services that have this engine as a part.

    Raises:
        OptionsError: there is no such folder, a file of it is missing, damaged or of another checkpoint, or the hub
            does not have the name.
    """
    given, option = options.checkpoint, f"{prefix}checkpoint"
    folder = Path(given).expanduser() if given else SHIPPED_CHECKPOINT
    # A path that does not exist is a separate error; it must not be looked up on the hub.
    if given and not folder.exists() and not given.startswith((".", "/", "~")) and given.count("/") <= 1:
        return _checked(_from_hub(given, options.revision, prefix), option, options.name, hub_name=given)
    if options.revision:
        text = f"the option {prefix}revision is of a hub name, but {given or 'the shipped checkpoint'!r} is a folder"
        raise OptionsError(f"{text}, which is identified by its content: remove it")
    return _checked(folder, option, options.name or ("" if given else SHIPPED_NAME))


def _checked(folder: Path, option: str, name: str, hub_name: str = "") -> Checkpoint:
    """The checkpoint in a folder whose files fit each other."""
    try:
        model = _model(folder)
        open_config = _check_config(folder)
        _check_tokens(folder, model)
        found = _preprocessor(folder)
        features, assumed = _features(found, model)
        assumed += open_config
        seconds = [_seconds(found or {}, key) for key in ("padding_seconds", "trained_seconds")]
        revision = content_revision(folder, [file for file in _READ if (folder / file).is_file()])
    except (_UnusableError, OSError) as fault:
        again = f", or download {hub_name} again (hf download --force-download)" if hub_name else ""
        raise OptionsError(f"the option {option}: {folder} can't be used: {fault}{again}") from fault
    known, commit = true_name(folder, hub_name or model.description)
    # The source of a hub checkpoint stays visible under another name.
    source = f"{known}@{commit}" if commit else name or known
    declares = "padding_seconds" in (found or {})
    return Checkpoint(folder, name or known, revision, source, features, assumed, declares, *seconds)


class _UnusableError(OmnigapError):
    """What is wrong with a folder, and how it is repaired."""


def _model(folder: Path) -> ModelFile:
    if not folder.is_dir():
        file = f"it is a file: name its folder, {folder.parent}" if folder.exists() else "there is no such folder"
        raise _UnusableError(file)
    if not (folder / "model.bin").is_file():
        raise _UnusableError(f"model.bin is missing; {_other_format(folder)}")
    try:
        return read_model_file(folder / "model.bin")
    except ModelFileError as error:
        raise _UnusableError(f"model.bin is {error}: copy or download it again") from error
    except OSError as error:
        raise _UnusableError(f"model.bin can't be read ({error.strerror})") from error


def _other_format(folder: Path) -> str:
    """What a folder without model.bin has instead, and how it becomes a checkpoint."""
    if found := next((name for name in _TRANSFORMERS if (folder / name).is_file()), ""):
        copied = " ".join(name for name in ("tokenizer.json", _PREPROCESSOR) if (folder / name).is_file())
        copy = f" --copy_files {copied}" if copied else ""
        return (
            f"{found} is transformers' format. Convert it once, with transformers and torch installed: "
            f"`ct2-transformers-converter --model {folder} --output_dir {folder.name or 'whisper'}-ct2{copy}` (it "
            "needs tokenizer.json), or use the service hf-asr"
        )
    below = sorted(path.parent for pattern in ("*/model.bin", "snapshots/*/model.bin") for path in folder.glob(pattern))
    if below:
        return f"it is in {', '.join(map(str, below[:_MAX_NAMED]))}: name that folder"
    if found := next((path.name for path in sorted(folder.glob("*")) if _is_other_whisper(path)), ""):
        return f"{found} is of another program: download the same Whisper in CTranslate2's format, or convert it"
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:_MAX_NAMED]) + (" ..." if len(names) > _MAX_NAMED else "")
    return f"the folder has {shown or 'no files'}: name a Whisper in CTranslate2's format"


def _is_other_whisper(path: Path) -> bool:
    """OpenAI's own format, and that of whisper.cpp."""
    return path.suffix in (".pt", ".gguf", ".onnx", ".safetensors") or path.name.startswith("ggml")


def _check_config(folder: Path) -> tuple[str, ...]:
    """What the model's config.json leaves open."""
    found = _object(folder / "config.json")
    if found is None:
        # CTranslate2 loads it, and fails at the first clip.
        raise _UnusableError("config.json is missing: copy it from where model.bin is from")
    if not any(isinstance(found.get(key), list) for key in _CONFIG_LISTS) or "model_type" in found:
        raise _UnusableError(
            "config.json is not CTranslate2's (transformers has one of the same name): copy the one that the converter "
            "wrote beside model.bin"
        )
    if wrong := [key for key in _CONFIG_LISTS if not isinstance(found.get(key), list | None)]:
        raise _UnusableError(f"config.json has no list as {wrong[0]}: copy the one beside model.bin again")
    lacking = [key for key in ("suppress_ids", "suppress_ids_begin") if found.get(key) is None]
    return (f"config.json without {', '.join(lacking)}: no tokens are suppressed by it",) * bool(lacking)


def _check_tokens(folder: Path, model: ModelFile) -> None:
    """The tokenizer, the vocabulary and the model must be of one checkpoint: another one's ids give other words."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise _UnusableError(
            "tokenizer.json is missing (another model's would be downloaded in its place): copy it from the checkpoint "
            "that model.bin was converted from, such as `hf download openai/whisper-tiny.en tokenizer.json`"
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises no type of its own
        raise _UnusableError(f"tokenizer.json is damaged ({error}): copy or download it again") from error
    name = next((name for name in _VOCABULARIES if (folder / name).is_file()), "")
    if not name:
        raise _UnusableError("vocabulary.json or vocabulary.txt is missing: copy it from where model.bin is from")
    words = _vocabulary(folder / name)
    ids = {word: number for number, word in enumerate(words)}
    for token in _SPECIAL:
        if token not in ids or tokenizer.token_to_id(token) != ids[token]:
            raise _UnusableError(
                f"tokenizer.json and {name} are of different checkpoints ({token} is "
                f"{tokenizer.token_to_id(token)} and {ids.get(token)}): copy both from where model.bin is from"
            )
    if model.words and len(words) != model.words:
        raise _UnusableError(
            f"{name} has {len(words):,} entries and model.bin {model.words:,}, so they are of different checkpoints: "
            "copy it from where model.bin is from"
        )


def _vocabulary(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".txt":
            return text.removesuffix("\n").split("\n")
        words = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise _UnusableError(f"{path.name} is damaged ({error}): copy or download it again") from error
    if not isinstance(words, list):
        raise _UnusableError(f"{path.name} holds no JSON list: copy the one that the converter wrote beside model.bin")
    return [str(word) for word in words]


def _preprocessor(folder: Path) -> Mapping[str, Any] | None:
    """preprocessor_config.json; None without one."""
    found = _object(folder / _PREPROCESSOR)
    for key in _STANDARD.keys() & (found or {}):
        value = found[key] if found else None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise _UnusableError(f"{_PREPROCESSOR} has {key} = {value!r} instead of a whole number from 1: {_REPLACE}")
    return found


_REPLACE = "replace it with the checkpoint's own, or remove it: OpenAI's values are used then"


def _features(found: Mapping[str, Any] | None, model: ModelFile) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Arguments of the feature extractor, and what of them was assumed."""
    given = {key: int(found[key]) for key in _STANDARD if found is not None and key in found}
    features = {**_STANDARD, **({"feature_size": model.mels} if model.mels else {}), **given}
    if model.mels and features["feature_size"] != model.mels:
        raise _UnusableError(
            f"{_PREPROCESSOR} has feature_size {features['feature_size']}, but model.bin has {model.mels} mel bins, so "
            f"it is another checkpoint's: {_REPLACE}"
        )
    if features["sampling_rate"] != SAMPLE_RATE:
        raise _UnusableError(
            f"{_PREPROCESSOR} has sampling_rate {features['sampling_rate']}: only {SAMPLE_RATE} is supported"
        )
    frames = features["chunk_length"] * SAMPLE_RATE // features["hop_length"]
    # The encoder halves the frames. A shorter window than it has positions for is that of another checkpoint, except
    # for one that says itself that it was trained on shorter clips.
    shorter = found is not None and "padding_seconds" in found
    if model.positions and (frames // 2 > model.positions or (frames // 2 < model.positions and not shorter)):
        if found is None:
            raise _UnusableError(
                f"{_PREPROCESSOR} is missing, and model.bin has a window of {2 * model.positions:,} frames instead of "
                f"OpenAI's {frames:,}: copy the file from where model.bin is from"
            )
        raise _UnusableError(
            f"{_PREPROCESSOR} describes a window of {frames:,} frames (chunk_length {features['chunk_length']} s, "
            f"hop_length {features['hop_length']}), but model.bin has {2 * model.positions:,}: {_REPLACE}"
        )
    lacking = [key for key in _STANDARD if key not in given]
    if not lacking:
        return features, ()
    mels = "as model.bin" if model.mels else "as OpenAI's"
    said = [f"feature_size {features['feature_size']} ({mels})"] * ("feature_size" in lacking)
    said += [f"{key} {features[key]}" for key in lacking if key != "feature_size"]
    what = f"no {_PREPROCESSOR}" if found is None else f"{_PREPROCESSOR} without {', '.join(lacking)}"
    return features, (f"{what}: {', '.join(said)}",)


def _seconds(found: Mapping[str, Any], key: str) -> float:
    value = found.get(key, 0.0)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= _MAX_SECONDS:
        raise _UnusableError(
            f"{_PREPROCESSOR} has {key} = {value!r} instead of seconds from 0 to {_MAX_SECONDS:g}: correct it"
        )
    return float(value)


def _object(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file; None if there is no file."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _UnusableError(f"{path.name} is damaged ({error}): copy or download it again") from error
    if not isinstance(found, dict):
        raise _UnusableError(f"{path.name} holds no JSON object: copy or download it again")
    return found


def _from_hub(name: str, revision: str | None, prefix: str) -> Path:
    from faster_whisper.utils import _MODELS, download_model

    hub_name = name if "/" in name else _MODELS.get(name, "")
    if not hub_name:
        close = difflib.get_close_matches(name, _MODELS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known names: {', '.join(_MODELS)}"
        raise OptionsError(
            f"the option {prefix}checkpoint is {name!r}, which is neither a folder ({Path(name).absolute()} does not "
            f"exist) nor one of the names of faster-whisper ({hint})"
        )
    try:
        return Path(download_model(name, revision=revision))
    except Exception as error:  # huggingface_hub and its HTTP client have no common base class
        raise OptionsError(
            f"the option {prefix}checkpoint is {name!r}, which is not a folder here ({Path(name).absolute()}); the "
            f"repository {hub_name} is {hub_failure(hub_name, revision or '', error)}, or name a folder"
        ) from error
