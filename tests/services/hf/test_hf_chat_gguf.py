"""`hf-chat` on GGUF files: the model of the file and nothing else, or an error that says what to do."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.adapter import Adapter
from omnigap_services.hf.asr.adapter import HfAsrAdapter
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.tts.adapter import TtsAdapter
from omnigap_services.options import OptionsError
from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
from omnigap_services.server.describe import describe
from tests.helpers.hub_cache import in_hub_cache
from tests.helpers.served_doubles import Serve
from tests.services.hf import tiny_gguf
from tests.services.hf.hosting import Built, Host
from tests.services.hf.tiny_gguf import F32

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def whole(folder: Path) -> Path:
    """The folder of one tiny file; a builder of `built`."""
    tiny_gguf.write_gguf(folder / "tiny.Q4_1.gguf")
    return folder


def loaded(model: Path, **options: Any) -> ChatAdapter:
    adapter = ChatAdapter({"model": str(model), **options})
    adapter.load()
    return adapter


def weights_of(adapter: ChatAdapter) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = adapter._generation._chat.model.state_dict()
    return found


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(torch.arange(5, 65)[None]).logits
    return found


def test_the_weights_are_those_of_the_file(tmp_path: Path) -> None:
    expected = tiny_gguf.tiny_model()
    path = tiny_gguf.write_gguf(tmp_path / "exact.gguf", quantisation=F32)
    found = loaded(path)._generation._chat.model
    torch.testing.assert_close(logits(found), logits(expected))
    quantised = weights_of(loaded(tiny_gguf.write_gguf(tmp_path / "q.gguf")))
    rounded = gguf.dequantize(
        gguf.quantize(expected.state_dict()["model.embed_tokens.weight"].numpy(), tiny_gguf.QUANTISED),
        tiny_gguf.QUANTISED,
    )
    assert np.array_equal(quantised["model.embed_tokens.weight"].numpy(), rounded)


def test_answers_stream_end_with_the_turn_and_do_not_depend_on_the_batch(built: Built, hosted: Host) -> None:
    served = hosted(ChatAdapter({"model": str(built(whole)), "max_new_tokens": 24}))
    questions = ["Who?", "What is the capital of France?", "1 + 1 = ?", "x" * 90]
    alone = [served.ask(question).text for question in questions]
    assert [served.ask(question).text for question in questions] == alone
    settings = served.describe().settings
    assert settings["quantisation"] == "GGUF Q4_1, unpacked" and settings["dtype"] == "float32"
    assert settings["library.gguf"] and settings["class"] == "LlamaForCausalLM"
    assert served.ask("Who?", decoding=pb.Decoding(max_new_tokens=3)).complete.usage.output_tokens <= 3


async def test_it_conforms(built: Built, host: Serve) -> None:
    found = await conform(await host(ChatAdapter({"model": str(built(whole)), "max_new_tokens": 8})))
    assert [result for result in found.results if result.status in (Status.FAILED, Status.WARNING)] == []


def test_folder_path_parts_and_hub_name_give_one_model(built: Built, hub_cache: Path, tmp_path: Path) -> None:
    folder = built(whole)
    in_hub_cache(folder, hub_cache, "owner/name-GGUF", COMMIT)
    hub_name = {"model": "owner/name-GGUF", "revision": COMMIT, "gguf_file": "tiny.Q4_1.gguf"}
    options = ({"model": str(folder)}, {"model": str(folder / "tiny.Q4_1.gguf")}, hub_name)
    cards = [describe(adapter.load(), ChatAdapter) for adapter in map(ChatAdapter, options)]
    assert len({card.digest for card in cards}) == 1
    assert [card.name for card in cards] == [folder.name, "tiny.Q4_1", "owner/name-GGUF"]
    assert cards[2].weights_revision.endswith(f"(owner/name-GGUF@{COMMIT}/tiny.Q4_1.gguf)")
    split = tiny_gguf.write_gguf(tmp_path / "split.gguf", parts=3)
    one, other = weights_of(loaded(folder)), weights_of(loaded(split))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_files_next_to_it_are_not_read(built: Built, tmp_path: Path) -> None:
    llama = built(tiny_chat.llama)
    for path in llama.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tiny_gguf.write_gguf(tmp_path / "tiny.Q4_1.gguf")
    mixed = ChatAdapter({"model": str(tmp_path), "gguf_file": "tiny.Q4_1.gguf"})
    alone = ChatAdapter({"model": str(built(whole))})
    assert describe(mixed.load(), ChatAdapter).digest == describe(alone.load(), ChatAdapter).digest
    assert mixed._generation._chat.tokenizer.get_vocab() == alone._generation._chat.tokenizer.get_vocab()
    assert "quantisation" not in ChatAdapter({"model": str(tmp_path)}).load().settings


def test_the_turns_end_is_found_in_the_template_where_the_metadata_lack_it(tmp_path: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "a.gguf", eos=tiny_gguf.EOS)
    assert loaded(path)._generation._end_ids == {tiny_gguf.EOS, tiny_gguf.TURN_END}
    eot = {"tokenizer.ggml.eot_token_id": tiny_gguf.TURN_START}
    path = tiny_gguf.write_gguf(tmp_path / "b.gguf", template="{{ messages[0]['content'] }}:", extra=eot)
    assert loaded(path)._generation._end_ids == {tiny_gguf.TURN_END, tiny_gguf.TURN_START}


def test_a_file_without_a_template_needs_one(tmp_path: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "base.gguf", template="")
    with pytest.raises(OptionsError, match="chat_template"):
        loaded(path)
    (tmp_path / "own.jinja").write_text(tiny_gguf.TEMPLATE)
    assert loaded(path, chat_template=str(tmp_path / "own.jinja"))


def test_frequency_factors_of_the_position_encoding_are_applied(tmp_path: Path) -> None:
    plain = tiny_gguf.tiny_model()
    scaling = {"rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0}
    scaling |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    scaled = LlamaForCausalLM(LlamaConfig(**{**plain.config.to_dict(), "rope_parameters": scaling}))
    scaled.load_state_dict(plain.state_dict())
    factors = plain.model.rotary_emb.inv_freq / scaled.model.rotary_emb.inv_freq
    assert factors.max() > 2
    tensors = {**tiny_gguf.tensors_of(plain), "rope_freqs.weight": factors.numpy()}
    found = loaded(tiny_gguf.write_gguf(tmp_path / "a.gguf", tensors, quantisation=F32))._generation._chat.model
    torch.testing.assert_close(logits(found), logits(scaled.eval()))
    assert not torch.allclose(logits(found), logits(plain.eval()), atol=1e-3)
    tensors["rope_freqs.weight"] = tensors["rope_freqs.weight"][:-1]
    with pytest.raises(OptionsError, match=r"rope_freqs.weight, which fits no part"):
        loaded(tiny_gguf.write_gguf(tmp_path / "b.gguf", tensors, quantisation=F32))


def lacking(tensors: tiny_gguf.Tensors) -> tiny_gguf.Tensors:
    return {name: value for name, value in tensors.items() if name != "blk.1.ffn_up.weight"}


def with_more(tensors: tiny_gguf.Tensors) -> tiny_gguf.Tensors:
    return {**tensors, "blk.0.attn_sinks.weight": np.ones(4, np.float32)}


def of_another_shape(tensors: tiny_gguf.Tensors) -> tiny_gguf.Tensors:
    return {**tensors, "blk.1.ffn_up.weight": tensors["blk.1.ffn_up.weight"][:-32]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lacking, r"lacks 1 weight .*up_proj"),
        (with_more, r"has 1 tensors that LlamaForCausalLM does not use \(blk.0.attn_sinks.weight\).*llama-server"),
        (of_another_shape, r"1 weight in another shape .*up_proj"),
    ],
)
def test_tensors_that_are_missing_unused_or_of_another_shape_are_refused(
    change: Callable[[tiny_gguf.Tensors], tiny_gguf.Tensors], words: str, tmp_path: Path
) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "a.gguf", change(tiny_gguf.tensors_of(tiny_gguf.tiny_model())))
    with pytest.raises(OptionsError, match=words):
        loaded(path)
    if change is not of_another_shape:
        assert loaded(path, allow_missing_weights=["*.up_proj.weight", "blk.*.attn_sinks.weight"])


@pytest.mark.parametrize("kind", ["linear", "yarn", "longrope"])
def test_a_scaled_position_encoding_that_transformers_drops_is_refused(kind: str, tmp_path: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "a.gguf", extra={"llama.rope.scaling.type": kind})
    with pytest.raises(OptionsError, match=rf"position encoding \({kind}\).*llama-server"):
        loaded(path)


@pytest.mark.parametrize("architecture", ["rwkv99", "clip", "whisper"])
def test_an_unknown_architecture_names_the_other_way(architecture: str, tmp_path: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "a.gguf", architecture=architecture)
    with pytest.raises(OptionsError, match=rf"'gguf_file'.*a.gguf has the architecture '{architecture}'.*llama-cpp"):
        loaded(path)


def test_a_quantisation_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "a.gguf", quantisation=F32)
    data = path.read_bytes()
    # The type follows the shape of `output_norm.weight`, one dimension of 64.
    name = b"output_norm.weight" + (1).to_bytes(4, "little") + (64).to_bytes(8, "little")
    place = data.index(name) + len(name)
    path.write_bytes(data[:place] + int(gguf.GGMLQuantizationType.Q8_1).to_bytes(4, "little") + data[place + 4 :])
    with pytest.raises(OptionsError, match=r"tensors of type Q8_1, which the package gguf can't unpack.*llama-server"):
        loaded(path)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.9])
def test_a_file_that_is_cut_off_is_refused(kept: float, built: Built, tmp_path: Path) -> None:
    data = (built(whole) / "tiny.Q4_1.gguf").read_bytes()
    (tmp_path / "a.gguf").write_bytes(data[: round(len(data) * kept)])
    with pytest.raises(OptionsError, match=r"'gguf_file': .*a.gguf can't be read: it.*download it again"):
        loaded(tmp_path)


def test_a_file_of_metadata_that_contradict_each_other_is_refused(tmp_path: Path) -> None:
    path = tiny_gguf.write_gguf(tmp_path / "a.gguf", {"token_embd.weight": np.ones((8, 64), np.float32)})
    with pytest.raises(OptionsError, match=r"another shape|lacks"):
        loaded(path)


def test_without_the_package_the_error_says_how_to_install_it(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "gguf" else find(name, *rest))
    with pytest.raises(OptionsError, match=r"needs the package gguf: pip install"):
        loaded(built(whole))


def test_lora_folders_are_refused(built: Built) -> None:
    with pytest.raises(OptionsError, match=r"'adapters'.*GGUF file: merge them"):
        loaded(built(whole), adapters={"text": "lora"})


@pytest.mark.parametrize(
    ("service", "option"), [(HfAsrAdapter, "model"), (TtsAdapter, "model"), (QwenOmniAdapter, "checkpoint")]
)
def test_other_services_say_that_they_read_no_gguf_files(
    service: Callable[..., Adapter], option: str, built: Built
) -> None:
    with pytest.raises(OptionsError, match=rf"'{option}' is .*GGUF files, which only hf-chat reads"):
        service({option: str(built(whole))}).load()
