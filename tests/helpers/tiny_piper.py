"""A Piper voice of a few kilobytes: a real ONNX model with the inputs of Piper's, which hums instead of speaking.

Its sound depends on the phonemes, the speaker and the three scales, and it draws noise twice, as a trained voice does.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

SAMPLES_PER_PHONEME = 400
CARD = "# Model card for {} ({})\n\n* Language: English\n\n## Dataset\n\n* URL: {}\n* License: {}\n"

_FLOAT, _INT64 = 1, 7


def write_voice(
    folder: Path,
    name: str = "en_US-hum-low",
    *,
    rate: int = 16_000,
    speakers: dict[str, int] | None = None,
    random: str = "RandomNormalLike",
    **changes: object,
) -> Path:
    """Writes NAME.onnx and NAME.onnx.json into a folder; returns the path of the model.

    Args:
        speakers: numbers of a voice with several speakers, by name.
        random: the operator that draws its noise.
        changes: keys of the description with other values; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    described: dict[str, object] = {
        "audio": {"sample_rate": rate, "quality": "low"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": 256,
        "num_speakers": len(speakers or {}) or 1,
        "speaker_id_map": speakers or {},
        **changes,
    }
    path = folder / f"{name}.onnx"
    path.write_bytes(model_bytes(len(speakers or {}) > 1, random))
    kept = {key: value for key, value in described.items() if value is not None}
    path.with_name(f"{path.name}.json").write_text(json.dumps(kept))
    return path


def write_card(folder: Path, voice: str = "hum", quality: str = "low", licence: str = "CC0") -> None:
    (folder / "MODEL_CARD").write_text(CARD.format(voice, quality, "https://recordings.example", licence))


def model_bytes(has_speakers: bool = False, random: str = "RandomNormalLike") -> bytes:
    """A serialised ONNX model: ids (1, p), their number (1,), scales (3,) and a speaker (1,) to audio (1, 1, n)."""
    nodes = [
        # How long: phonemes * SAMPLES_PER_PHONEME * length_scale, and up to a few percent of noise.
        _constant("zero", _INT64, [], [0]),
        _constant("one_at", _INT64, [], [1]),
        _constant("two_at", _INT64, [], [2]),
        _node("Gather", ["scales", "zero"], "noise_scale"),
        _node("Gather", ["scales", "one_at"], "length_scale"),
        _node("Gather", ["scales", "two_at"], "noise_w"),
        _node("Cast", ["input"], "ids", to=_FLOAT),
        _node(random, ["ids"], "length_noise"),
        _node("ReduceMean", ["length_noise"], "mean_noise", keepdims=0),
        _constant("tenth", _FLOAT, [], [0.1]),
        _node("Mul", ["mean_noise", "tenth"], "small_noise"),
        _node("Mul", ["small_noise", "noise_w"], "weighted_noise"),
        _constant("unit", _FLOAT, [], [1.0]),
        _node("Add", ["weighted_noise", "unit"], "stretch"),
        _node("Size", ["input"], "count"),
        _node("Cast", ["count"], "count_float", to=_FLOAT),
        _constant("per_phoneme", _FLOAT, [], [float(SAMPLES_PER_PHONEME)]),
        _node("Mul", ["per_phoneme", "length_scale"], "scaled"),
        _node("Mul", ["scaled", "stretch"], "each"),
        _node("Mul", ["each", "count_float"], "total_exact"),
        _node("Floor", ["total_exact"], "total"),
        # Which phoneme each sample belongs to, and its pitch.
        _constant("nought", _FLOAT, [], [0.0]),
        _node("Range", ["nought", "total", "unit"], "time"),
        _node("Div", ["time", "each"], "position"),
        _node("Floor", ["position"], "position_floor"),
        _node("Cast", ["position_floor"], "at", to=_INT64),
        _constant("flat", _INT64, [1], [-1]),
        _node("Reshape", ["ids", "flat"], "ids_flat"),
        _node("Gather", ["ids_flat", "at"], "pitch"),
        *(
            [_node("Cast", ["sid"], "speaker", to=_FLOAT), _node("Add", ["pitch", "speaker"], "pitched")]
            if has_speakers
            else [_node("Identity", ["pitch"], "pitched")]
        ),
        _constant("step", _FLOAT, [], [0.002]),
        _node("Mul", ["pitched", "step"], "turn"),
        _node("Mul", ["time", "turn"], "phase"),
        _node("Sin", ["phase"], "tone"),
        # Noise in the sound.
        _node(random, ["tone"], "sound_noise"),
        _node("Mul", ["sound_noise", "noise_scale"], "loud_noise"),
        _node("Mul", ["loud_noise", "tenth"], "quiet_noise"),
        _node("Add", ["tone", "quiet_noise"], "sound"),
        _constant("shape", _INT64, [3], [1, 1, -1]),
        _node("Reshape", ["sound", "shape"], "output"),
    ]
    inputs = [("input", _INT64, 2), ("input_lengths", _INT64, 1), ("scales", _FLOAT, 1)]
    inputs += [("sid", _INT64, 1)] if has_speakers else []
    graph = b"".join(_bytes(1, node) for node in nodes)
    graph += _bytes(2, b"hum") + b"".join(_bytes(11, _value(*entry)) for entry in inputs)
    graph += _bytes(12, _value("output", _FLOAT, 3))
    # The IR version, and the version of the operators.
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 15))


def external_tensor(file: str, name: str = "kept_elsewhere") -> bytes:
    """A serialised tensor (float32, one value) whose value is in a file beside the model."""
    location = _bytes(1, b"location") + _bytes(2, file.encode())
    return _number(1, 1) + _number(2, _FLOAT) + _bytes(8, name.encode()) + _bytes(13, location) + _number(14, 1)


def with_graph_field(model: bytes, number: int, content: bytes) -> bytes:
    """The model with one more entry of a repeated field of its graph."""
    return model + _bytes(7, _bytes(number, content))


def with_constant(
    model: bytes, field: int, content: bytes, in_branch: bool = False, in_function: bool = False
) -> bytes:
    """The model with a node whose attribute has a field, in the graph, in a node's branch or in a function."""
    node = _bytes(2, b"extra") + _bytes(4, b"Constant") + _bytes(5, _bytes(1, b"value") + _bytes(field, content))
    if in_function:
        return model + _bytes(25, _bytes(1, b"function") + _bytes(7, node))
    if in_branch:
        branch = _bytes(5, _bytes(1, b"then_branch") + _bytes(6, _bytes(1, node)) + _number(20, 5))
        node = _bytes(2, b"extra") + _bytes(4, b"If") + branch
    return with_graph_field(model, 1, node)


def _node(operator: str, inputs: list[str], output: str, **integers: int) -> bytes:
    attributes = b"".join(
        _bytes(5, _bytes(1, name.encode()) + _number(3, value) + _number(20, 2)) for name, value in integers.items()
    )
    names = b"".join(_bytes(1, name.encode()) for name in inputs)
    return names + _bytes(2, output.encode()) + _bytes(3, output.encode()) + _bytes(4, operator.encode()) + attributes


def _constant(name: str, kind: int, shape: list[int], values: list[float] | list[int]) -> bytes:
    raw = struct.pack(f"<{len(values)}{'f' if kind == _FLOAT else 'q'}", *values)
    tensor = b"".join(_number(1, size) for size in shape) + _number(2, kind) + _bytes(9, raw)
    attribute = _bytes(1, b"value") + _bytes(5, tensor) + _number(20, 4)
    return _bytes(2, name.encode()) + _bytes(3, name.encode()) + _bytes(4, b"Constant") + _bytes(5, attribute)


def _value(name: str, kind: int, rank: int) -> bytes:
    shape = b"".join(_bytes(1, _bytes(2, f"{name}_{axis}".encode())) for axis in range(rank))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)
