"""The noise of a voice becomes an input of its graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from omnigap_services.piper.noise import (
    NOISE_VALUES,
    OtherFilesError,
    UnseedableNoiseError,
    check_one_file,
    noise_values,
    with_noise_inputs,
)
from tests.helpers.tiny_piper import external_tensor, model_bytes, with_constant, with_graph_field

PHONEMES = np.arange(1, 11, dtype=np.int64)[None]


def heard(session: onnxruntime.InferenceSession, **noise: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    scales = np.array([0.667, 1.0, 0.8], np.float32)
    inputs = {"input": PHONEMES, "input_lengths": np.array([10]), "scales": scales, **noise}
    samples: npt.NDArray[np.float32] = session.run(None, inputs)[0].squeeze()
    return samples


def test_a_stock_session_never_says_the_same_twice() -> None:
    """Why the graph is changed; if onnxruntime ever seeds each run, the change is not needed."""
    session = onnxruntime.InferenceSession(model_bytes())
    assert not np.array_equal(heard(session), heard(session))


def test_the_same_noise_gives_the_same_samples_in_every_session() -> None:
    model, names = with_noise_inputs(model_bytes())
    assert len(names) == 2
    noise = {name: noise_values(7, index) for index, name in enumerate(names)}
    session = onnxruntime.InferenceSession(model)
    first = heard(session, **noise)
    heard(session, **{name: noise_values(8, index) for index, name in enumerate(names)})
    assert np.array_equal(first, heard(session, **noise))
    assert np.array_equal(first, heard(onnxruntime.InferenceSession(model), **noise))


def test_without_noise_the_changed_model_says_what_the_stock_model_says() -> None:
    model, names = with_noise_inputs(model_bytes())
    silence = {name: np.zeros(NOISE_VALUES, np.float32) for name in names}
    stock = onnxruntime.InferenceSession(model_bytes())
    inputs = {"input": PHONEMES, "input_lengths": np.array([10]), "scales": np.array([0, 1, 0], np.float32)}
    assert np.array_equal(stock.run(None, inputs)[0].squeeze(), heard(onnxruntime.InferenceSession(model), **silence))


def test_noise_is_a_standard_normal_and_differs_between_seeds_and_inputs() -> None:
    draws = [noise_values(seed, index) for seed in (0, 1) for index in (0, 1)]
    for draw in draws:
        assert draw.shape == (NOISE_VALUES,) and draw.dtype == np.float32
        assert abs(float(draw.mean())) < 0.01 and abs(float(draw.std()) - 1) < 0.01
    correlations = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlations).max() < 0.01


def test_the_stream_of_noise_is_fixed() -> None:
    """Another stream would change every recording without a change of the digest's settings."""
    assert noise_values(0, 0)[:3].tolist() == [-1.8313077688217163, -0.1773543506860733, 0.038279201835393906]


@pytest.mark.parametrize("operator", ["RandomUniformLike", "Bernoulli", "Multinomial"])
def test_another_random_operator_is_refused_by_its_name(operator: str) -> None:
    with pytest.raises(UnseedableNoiseError, match=operator):
        with_noise_inputs(model_bytes(random=operator))


def test_a_model_without_noise_is_unchanged() -> None:
    model = model_bytes(random="Identity")
    assert with_noise_inputs(model) == (model, ())


TENSOR = external_tensor("weights.bin")
SPARSE = b"\x0a" + bytes([len(TENSOR)]) + TENSOR


@pytest.mark.parametrize(
    "model",
    [
        with_graph_field(model_bytes(), 5, TENSOR),
        with_graph_field(model_bytes(), 15, SPARSE),
        with_constant(model_bytes(), 5, TENSOR),
        with_constant(model_bytes(), 10, TENSOR),
        with_constant(model_bytes(), 22, SPARSE),
        with_constant(model_bytes(), 5, TENSOR, in_branch=True),
        with_constant(model_bytes(), 5, TENSOR, in_function=True),
    ],
    ids=["initializer", "sparse initializer", "constant", "list", "sparse constant", "branch", "function"],
)
def test_weights_in_another_file_are_found_wherever_they_are(model: bytes) -> None:
    with pytest.raises(OtherFilesError, match=r"weights\.bin"):
        check_one_file(model)


def test_a_model_of_one_file_passes() -> None:
    check_one_file(model_bytes())


def test_noise_in_a_function_is_refused() -> None:
    node = b"\x22\x10RandomNormalLike"
    function = b"\x3a" + bytes([len(node)]) + node
    with pytest.raises(UnseedableNoiseError, match="function"):
        with_noise_inputs(model_bytes() + b"\xca\x01" + bytes([len(function)]) + function)
