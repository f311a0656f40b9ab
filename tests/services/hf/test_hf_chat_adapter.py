"""`hf-chat` over the wire: real architectures with random weights, loaded like real checkpoints."""

from __future__ import annotations

import threading
import uuid

import grpc
import numpy as np
import pytest
import torch
from PIL import Image

from omnigap.convert import modality_to_proto
from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from tests.helpers.serve_process import Serve, Served
from tests.services.hf import tiny_gemma, tiny_phi
from tests.services.hf.hosting import Build, Built, Host

PICTURE = Image.new("RGB", (40, 30), "red")
TONE = AudioClip((0.3 * np.sin(np.arange(24_000) * 0.1)).astype(np.float32), 16_000)
SHORT = pb.Decoding(max_new_tokens=12)
QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def llama(built: Built, hosted: Host) -> Served:
    return hosted(ChatAdapter({"model": str(built(tiny_chat.llama)), "max_new_tokens": 24}))


def native(served: Served) -> set[tuple[int, int]]:
    return {(c.input, c.output) for c in served.describe().conditions if c.support == pb.SUPPORT_NATIVE}


@pytest.mark.parametrize(
    ("builder", "inputs"),
    [
        (tiny_chat.llama, []),
        (tiny_chat.qwen3, []),
        (tiny_chat.llava, [PICTURE]),
        (tiny_chat.qwen2_audio, [TONE]),
        (tiny_gemma.gemma4, [TONE, PICTURE]),
        (tiny_phi.phi4, [TONE, PICTURE]),
    ],
    ids=["llama", "qwen3", "llava", "qwen2_audio", "gemma4", "phi4"],
)
def test_a_model_answers_in_the_conditions_that_its_processor_supports(
    builder: Build, inputs: list[AudioClip | Image.Image], built: Built, hosted: Host
) -> None:
    served = hosted(ChatAdapter({"model": str(built(builder)), "max_new_tokens": 4}))
    expected = {(pb.MODALITY_TEXT, pb.MODALITY_TEXT)}
    for media in inputs:
        kind = pb.MODALITY_SPEECH if isinstance(media, AudioClip) else pb.MODALITY_IMAGE
        expected.add((kind, pb.MODALITY_TEXT))
        reply = served.ask(media, "Answer with one word.", decoding=SHORT)
        assert 1 <= reply.complete.usage.output_tokens <= 12
    assert native(served) == expected
    assert served.ask(QUESTION, decoding=SHORT).complete.usage.input_tokens > len(QUESTION)
    with pytest.raises(ContractError) as caught:
        served.ask(QUESTION, output=Modality.SPEECH)
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION


def test_another_image_or_clip_gets_another_answer(built: Built, hosted: Host) -> None:
    vision = hosted(ChatAdapter({"model": str(built(tiny_chat.llava))}))
    other = Image.effect_noise((40, 30), 80).convert("RGB")
    assert vision.ask(PICTURE, decoding=SHORT).text != vision.ask(other, decoding=SHORT).text
    audio = hosted(ChatAdapter({"model": str(built(tiny_chat.qwen2_audio))}))
    noise = AudioClip(np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.3, 16_000)
    assert audio.ask(TONE, decoding=SHORT).text != audio.ask(noise, decoding=SHORT).text


def test_the_models_prompt_has_the_audio_tokens_and_both_prompts(
    built: Built, monkeypatch: pytest.MonkeyPatch, hosted: Host
) -> None:
    adapter = ChatAdapter({"model": str(built(tiny_chat.qwen2_audio)), "max_new_tokens": 1})
    served = hosted(adapter)
    seen: list[torch.Tensor] = []
    model = adapter._generation._chat.model
    generate = model.generate

    def keep(**inputs: object) -> object:
        seen.append(inputs["input_ids"])  # type: ignore[arg-type]
        return generate(**inputs)

    monkeypatch.setattr(model, "generate", keep)
    served.ask(TONE, "One word.", system_prompt="Be brief.")
    tokenizer = adapter._generation._chat.tokenizer
    text = tokenizer.decode(seen[0][0])
    assert text.startswith("system: Be brief.\nuser: <|audio_bos|><|AUDIO|>")
    assert text.endswith("<|audio_eos|>One word.\nassistant:")
    # 1.5 s are 150 frames of spectrogram, 75 after the encoder's stride, 37 after its pooling.
    assert text.count("<|AUDIO|>") == 37


def test_greedy_is_the_default_regardless_of_the_checkpoints_generation_config(llama: Served) -> None:
    """The tiny checkpoints ask for temperature 5 and a repetition penalty."""
    answers = {llama.ask(QUESTION).text for _ in range(3)}
    assert len(answers) == 1
    settings = llama.describe().settings
    assert (settings["temperature"], settings["repetition_penalty"]) == ("0.0", "1.0")


def test_decoding_fields_are_applied(llama: Served) -> None:
    plain = llama.ask(QUESTION)
    assert llama.ask(QUESTION, decoding=pb.Decoding(max_new_tokens=3)).complete.usage.output_tokens == 3
    assert llama.ask(QUESTION, decoding=pb.Decoding(repetition_penalty=5.0)).text != plain.text
    assert llama.ask(QUESTION, decoding=pb.Decoding(beam_size=4)).text != ""
    warm = [llama.ask(QUESTION, decoding=pb.Decoding(temperature=1.5, seed=seed)).text for seed in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]
    narrow = llama.ask(QUESTION, decoding=pb.Decoding(temperature=1.5, seed=1, top_k=1))
    assert narrow.text == plain.text


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        (pb.Decoding(extra={"min_p": "0.1"}), "min_p"),
        (pb.Decoding(extra={"thinking": "perhaps"}), "true or false"),
        (pb.Decoding(temperature=1.0, beam_size=2), "beam_size 2"),
        (pb.Decoding(repetition_penalty=0.0), "over 0"),
    ],
    ids=["unknown", "no boolean", "sampled beams", "no penalty"],
)
def test_unsupported_decoding_is_refused_by_name(llama: Served, decoding: pb.Decoding, message: str) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        llama.ask(QUESTION, decoding=decoding)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_the_finish_reason_is_length_at_the_limit_and_stop_otherwise(built: Built, hosted: Host) -> None:
    served = hosted(ChatAdapter({"model": str(built(tiny_chat.qwen3)), "max_new_tokens": 200}))
    # A sampled answer ends at some length; a greedy one of random weights rarely does.
    sampled = [served.ask("a", decoding=pb.Decoding(temperature=5.0, seed=seed)) for seed in range(24)]
    found = {reply.complete.finish_reason for reply in sampled}
    assert found == {pb.FINISH_REASON_STOP, pb.FINISH_REASON_LENGTH}


def test_a_question_beyond_the_context_is_too_large(llama: Served) -> None:
    with pytest.raises(ContractError, match="2048") as caught:
        llama.ask("a" * 3_000)
    assert caught.value.reason is Reason.TOO_LARGE
    # 2,000 letters fit; the answer ends where the context does.
    reply = llama.ask("a" * 2_015, decoding=pb.Decoding(max_new_tokens=500))
    assert reply.complete.usage.input_tokens + reply.complete.usage.output_tokens <= 2_048


def test_streamed_pieces_add_up_to_the_answer(llama: Served) -> None:
    request = pb.GenerateRequest(
        request_id=uuid.uuid4().hex,
        parts=[pb.InputPart(text=QUESTION)],
        output=modality_to_proto(Modality.TEXT),
        decoding=pb.Decoding(max_new_tokens=20),
    )
    pieces = [r.delta.text for r in llama.stub.Generate(request, timeout=60) if r.delta.text]
    assert len(pieces) >= 15
    assert "".join(pieces) == llama.ask(QUESTION, decoding=pb.Decoding(max_new_tokens=20)).text


def test_cancelling_a_call_stops_its_generation(llama: Served) -> None:
    """If the first answer were not stopped between two tokens, the next one would wait for minutes."""
    request = pb.GenerateRequest(
        request_id=uuid.uuid4().hex,
        parts=[pb.InputPart(text="aaaa")],
        output=modality_to_proto(Modality.TEXT),
        decoding=pb.Decoding(max_new_tokens=2_000, temperature=3.0, seed=3),
    )
    call = llama.stub.Generate(request, timeout=300)
    next(iter(call))
    call.cancel()
    assert llama.ask(QUESTION, decoding=SHORT).complete.timings.batch_size == 1
    with pytest.raises(grpc.RpcError):
        next(iter(call))


def test_thinking_is_separate_from_the_answer(llama: Served) -> None:
    """The template opens the thinking, so text before a closing mark is not part of the answer."""
    reply = llama.ask(QUESTION, decoding=pb.Decoding(max_new_tokens=24, extra={"thinking": "true"}))
    assert reply.reasoning != ""
    assert "<think>" not in reply.reasoning + reply.text
    plain = llama.ask(QUESTION, decoding=pb.Decoding(max_new_tokens=24, extra={"thinking": "false"}))
    assert plain.text != ""


def test_concurrent_calls_get_the_same_answers_as_single_ones(llama: Served) -> None:
    questions = [f"{QUESTION} {'and so on ' * number}" for number in range(8)]
    single = [llama.ask(question, decoding=SHORT).text for question in questions]
    found: dict[str, object] = {}

    def ask(question: str) -> None:
        found[question] = llama.ask(question, decoding=SHORT)

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [found[question].text for question in questions] == single  # type: ignore[attr-defined]
    assert len(set(single)) > 4


def test_it_runs_as_in_its_container(built: Built, serve: Serve) -> None:
    served = serve("hf-chat", {"model": str(built(tiny_chat.llama)), "cpu_threads": 1, "max_new_tokens": 4})
    described = served.describe()
    assert described.weights_revision.startswith("sha256:")
    assert described.settings["class"] == "LlamaForCausalLM"
    assert described.settings["library.transformers"]
    assert served.ask(QUESTION).complete.usage.output_tokens == 4
