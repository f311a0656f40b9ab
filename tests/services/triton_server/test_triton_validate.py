"""Invalid options are refused at the start, with the tensor, what is expected, and the key."""

from __future__ import annotations

import re
from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.options import OptionsError
from omnigap_services.triton_server.adapter import TritonAdapter
from tests.services.triton_server.triton_options import OMNI, STREAM
from tests.services.triton_server.triton_process import Triton


def refused(triton: Triton, options: dict[str, Any], **more: Any) -> str:
    """The error of loading with options that do not fit the model."""
    adapter = TritonAdapter({**options, "url": triton.url, "wait_s": 0.0, **more})
    try:
        with pytest.raises((OptionsError, ContractError)) as failed:
            adapter.load()
    finally:
        adapter.close()
    return str(failed.value)


BASE = {**OMNI, "inputs": {"text": "question", "temperature": "temperature", "output": "speak"}}

MISFITS: list[tuple[str, dict[str, Any], str]] = [
    ("inputs", {"text": "qestion"}, r"inputs\.text names the tensor 'qestion'.*no such input .*question BYTES \[1\]"),
    ("inputs", {"text": "speech"}, r"inputs\.text = 'speech': the tensor is speech FP32 \[-1\], but datatype BYTES is"),
    ("inputs", {"audio": "seed"}, r"inputs\.audio = 'seed': .*seed UINT64 \[1\].* FP32 or FP64 or INT16 or BYTES is"),
    ("inputs", {"image": "speech"}, r"inputs\.image = 'speech': .*speech FP32 \[-1\].*\[-1, -1, 3\] or \[3, -1, -1\]"),
    (
        "inputs",
        {"top_k": "picture"},
        r"inputs\.top_k = 'picture': .*shape such as \[1\] is expected",
    ),
    (
        "inputs",
        {"temperature": "typed"},
        r"inputs\.temperature = 'typed': the tensor is typed BYTES \[1\], but",
    ),
    ("inputs", {"top_p": "floats"}, r"inputs\.top_p = 'floats': .*floats FP32 \[3, -1, -1\]"),
    ("outputs", {"text": "text"}, r"outputs\.text names the tensor 'text'.*no such output .*answer BYTES \[1\]"),
    ("outputs", {"audio": "tokens"}, r"outputs\.audio = 'tokens': the tensor is tokens INT32 \[1\], but datatype"),
    ("outputs", {"sample_rate": "confidence"}, r"outputs\.sample_rate = 'confidence': .*confidence FP32 \[1\]"),
    ("diagnostics", {"x": "nil"}, r"diagnostics\.x names the tensor 'nil'.*no such output"),
    ("diagnostics", {"x": "pair"}, r"diagnostics\.x = 'pair': the tensor is pair FP32 \[2\].*shape such as \[1\]"),
    ("diagnostics", {"x": "answer"}, r"diagnostics\.x = 'answer': the tensor is answer BYTES \[1\]"),
    ("constants", {"nil": 1}, r"constants names the tensor 'nil'.*no such input"),
    ("constants", {"speech": 1, "pair": 2}, r"constants names the tensor 'pair'"),
    ("constants", {"picture": 1}, r"constants\.picture .*picture UINT8 \[-1, -1, 3\] takes more than one value"),
    ("constants", {"style": "loud"}, r"constants\.style .*style INT16 \[1, 1\]: 'loud' is not a number"),
    ("constants", {"style": 40_000}, r"constants\.style .*40000 is not a whole number from -32768 to 32767"),
    ("defaults", {"temperature": "warm"}, r"defaults\.temperature .*temperature FP32 \[1\]: 'warm' is not a number"),
    ("defaults", {"top_k": 1}, r"defaults\.top_k is set, but no tensor takes it: set inputs\.top_k"),
]


@pytest.mark.parametrize(("table", "keys", "expected"), MISFITS)
def test_a_tensor_that_does_not_fit_is_refused_by_name(
    triton: Triton, table: str, keys: dict[str, Any], expected: str
) -> None:
    text = refused(triton, BASE, **{table: {**BASE.get(table, {}), **keys}})
    assert re.search(expected, text), text


def test_two_roles_for_one_input_tensor_are_refused() -> None:
    with pytest.raises(OptionsError, match=r"inputs\.audio and inputs\.text both write the tensor 'question'"):
        TritonAdapter({"model": "omni", "inputs": {"text": "question", "audio": "question"}})


def test_a_required_number_needs_a_default(triton: Triton) -> None:
    text = refused(triton, OMNI, defaults={})
    assert "temperature FP32 [1] is required, but not every request has a temperature" in text
    assert "set defaults.temperature" in text


def test_a_required_tensor_that_nothing_sets_is_refused_by_name(triton: Triton) -> None:
    text = refused(triton, STREAM, inputs={"text": "prompt"})
    assert "pcm INT16 [1, -1] is required, but nothing sets it: map it in inputs or constants" in text
    assert "mode BYTES [1] is required" in text, "all errors are reported at once"


def test_the_error_for_an_unknown_model_names_the_known_ones(triton: Triton) -> None:
    adapter = TritonAdapter({**OMNI, "model": "omi", "url": triton.url})
    try:
        with pytest.raises(ContractError, match=r"no model 'omi': set model.*'omni' 1 READY") as failed:
            adapter.load()
    finally:
        adapter.close()
    assert failed.value.reason is Reason.BAD_REQUEST


def test_an_unknown_version_is_refused(triton: Triton) -> None:
    assert "no model 'omni' version 7" in refused(triton, OMNI, model_version=7)


def test_a_listed_condition_without_its_tensor_is_refused(triton: Triton) -> None:
    text = refused(triton, OMNI, outputs={"text": "answer"}, conditions=["t2t", "t2s"])
    assert "t2s is listed, but no tensor has the answer: outputs.audio is not set" in text


def test_options_without_a_condition_are_refused(triton: Triton) -> None:
    text = refused(triton, OMNI, outputs={})
    assert "no condition is left" in text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"inputs": {"texts": "question"}}, "unknown role texts: the roles are text, instruction"),
        ({"outputs": {"sound": "wave"}}, "unknown role sound: the roles are text, reasoning, audio"),
        ({"defaults": {"text": "x"}}, "text is not one of instruction, system_prompt"),
        ({"url": "http://127.0.0.1:8001"}, "without a scheme"),
        ({"conditions": ["t2x"]}, "unknown condition 't2x'"),
        ({"conditions": ["t2t"], "assisted": ["t2t"]}, "keep one"),
        ({"reasons": {"x2t": "why"}}, "x2t"),
        ({"root_certificates": "/no/such/file"}, "set ssl = true"),
        ({"ssl": True, "root_certificates": "/no/such/file"}, "not a file"),
        ({"timeout": 3}, "unknown option 'timeout'"),
    ],
)
def test_invalid_options_are_refused_before_the_server_is_called(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(OptionsError, match=expected):
        TritonAdapter({"model": "omni", **options})
