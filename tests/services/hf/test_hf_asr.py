"""`hf-asr` over the wire: eight architectures, their languages, statistics and refusals."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.hf.asr import tiny as tiny_asr
from omnigap_services.hf.asr.adapter import HfAsrAdapter
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.options import OptionsError
from tests.helpers.serve_process import Serve, Served
from tests.services.hf import other_asr
from tests.services.hf.hosting import Built, Host

BUILDERS = (
    tiny_asr.whisper,
    tiny_asr.wav2vec2,
    other_asr.wav2vec2_without_mask,
    other_asr.parakeet_ctc,
    other_asr.parakeet_tdt,
    other_asr.moonshine,
    other_asr.canary,
    other_asr.qwen3_asr,
)
NAMES = [builder.__name__ for builder in BUILDERS]
GREEDY_ONLY = {"wav2vec2", "wav2vec2_without_mask", "parakeet_ctc", "parakeet_tdt"}
FORCED = {"whisper", "canary", "qwen3_asr"}


def clip(seconds: float, seed: int = 0) -> AudioClip:
    """A tone in noise, other ones for every seed and length."""
    draw = np.random.default_rng([seed, int(seconds * 1000)])
    time = np.arange(int(seconds * 16_000))
    sound = 0.3 * np.sin(time * draw.uniform(0.02, 0.3)) + 0.05 * draw.standard_normal(len(time))
    return AudioClip(sound.astype(np.float32), 16_000)


@pytest.fixture(params=BUILDERS, ids=NAMES)
def recogniser(request: pytest.FixtureRequest, serve_model: Any) -> tuple[str, Served]:
    return request.param.__name__, serve_model(request.param)


@pytest.fixture(scope="module")
def serve_model(built: Built, hosted: Host) -> Any:
    """Serves a tiny checkpoint; each is started once."""
    started: dict[Any, Served] = {}

    def serve(builder: Any) -> Served:
        if builder not in started:
            started[builder] = hosted(HfAsrAdapter({"model": str(built(builder)), "max_new_tokens": 16}))
        return started[builder]

    return serve


def test_a_transcript_has_the_diagnostics_of_the_default_service(recogniser: tuple[str, Served]) -> None:
    name, served = recogniser
    reply = served.ask(clip(2.0))
    assert reply.text
    assert reply.text == reply.text.strip()
    found = dict(reply.complete.diagnostics)
    assert found["duration_s"] == 2.0
    assert found["compression_ratio"] > 0
    assert ("avg_logprob" in found) == (name != "parakeet_tdt")
    assert found.get("avg_logprob", -1.0) < 0
    assert ("no_speech_prob" in found) == (name == "whisper")
    assert reply.complete.usage.output_tokens > 0
    assert reply.complete.detected_language == "en"


def test_a_transcript_does_not_depend_on_the_batch(recogniser: tuple[str, Served]) -> None:
    _, served = recogniser
    clips = [clip(seconds, seed) for seed, seconds in enumerate((0.03, 0.9, 1.1, 1.6, 1.9, 2.7))]
    single = [served.ask(each).text for each in clips]
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = served.ask(clips[number]).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [found[number] for number in range(len(clips))] == single


def test_the_language_is_forced_if_the_family_supports_it_and_otherwise_refused(recogniser: tuple[str, Served]) -> None:
    name, served = recogniser
    assert served.describe().settings["language_forced"] == str(name in FORCED)
    english = served.ask(clip(2.0), language="en-US")
    assert english.text == served.ask(clip(2.0)).text
    if name in FORCED:
        assert served.ask(clip(2.0), language="de").complete.detected_language == "de"
    else:
        with pytest.raises(ContractError, match="option languages"):
            served.ask(clip(2.0), language="de")
    with pytest.raises(ContractError, match="'tlh'") as caught:
        served.ask(clip(2.0), language="tlh")
    assert caught.value.reason is Reason.BAD_REQUEST


def test_beam_search_is_available_for_models_with_a_decoder(recogniser: tuple[str, Served]) -> None:
    name, served = recogniser
    assert served.ask(clip(2.0), decoding=pb.Decoding(beam_size=1)).text == served.ask(clip(2.0)).text
    if name in GREEDY_ONLY:
        with pytest.raises(ContractError, match="greedy"):
            served.ask(clip(2.0), decoding=pb.Decoding(beam_size=3))
    else:
        reply = served.ask(clip(2.0), decoding=pb.Decoding(beam_size=3))
        assert reply.complete.diagnostics["avg_logprob"] < 0


def test_nothing_but_the_clip_can_steer_a_transcript(serve_model: Any) -> None:
    served = serve_model(tiny_asr.whisper)
    for fields in (
        {"system_prompt": "The answer is Paris."},
        {"decoding": pb.Decoding(temperature=0.4)},
        {"decoding": pb.Decoding(repetition_penalty=1.2)},
        {"decoding": pb.Decoding(max_new_tokens=4)},
    ):
        with pytest.raises(ContractError) as caught:
            served.ask(clip(1.0), **fields)
        assert caught.value.reason is Reason.BAD_REQUEST
    with pytest.raises(ContractError) as caught:
        served.ask(clip(1.0), "Paris")
    assert caught.value.reason is Reason.BAD_REQUEST
    assert served.ask(clip(1.0), decoding=pb.Decoding(temperature=0.0, seed=7)).text == served.ask(clip(1.0)).text


def test_digital_silence_has_an_empty_transcript(recogniser: tuple[str, Served]) -> None:
    _, served = recogniser
    reply = served.ask(AudioClip(np.zeros(16_000, np.float32), 16_000))
    assert reply.text == ""
    assert reply.complete.diagnostics["no_speech_prob"] == 1.0


def test_a_clip_longer_than_the_window_is_cut_and_transcribed_completely(built: Built, hosted: Host) -> None:
    served = hosted(HfAsrAdapter({"model": str(built(tiny_asr.wav2vec2)), "window_s": 2.0}))
    long = clip(7.0)
    whole = served.ask(long)
    assert len(whole.text) > 2 * len(served.ask(AudioClip(long.samples[:32_000], 16_000)).text)
    assert whole.complete.diagnostics["duration_s"] == 7.0


def test_a_language_listed_with_its_region_serves_the_language(built: Built, hosted: Host) -> None:
    options = {"model": str(built(tiny_asr.wav2vec2)), "language": "pt-BR", "languages": ["pt-BR"]}
    served = hosted(HfAsrAdapter(options))
    for asked in ("pt-BR", "pt", ""):
        assert served.ask(clip(1.0), language=asked).complete.detected_language == "pt-BR"
    with pytest.raises(ContractError, match="'en' is not known"):
        served.ask(clip(1.0), language="en")


def test_whispers_prompt_has_language_and_task_and_no_timestamps(built: Built, hosted: Host) -> None:
    adapter = HfAsrAdapter({"model": str(built(tiny_asr.whisper)), "max_new_tokens": 4})
    served = hosted(adapter)
    seen: list[list[int]] = []

    def keep(module: object, arguments: object, inputs: dict[str, Any]) -> None:
        seen.append(inputs["decoder_input_ids"][0].tolist())

    adapter._recogniser.model.register_forward_pre_hook(keep, with_kwargs=True)
    served.ask(clip(1.0), language="de")
    names = adapter._recogniser._tokenizer.convert_ids_to_tokens(max(seen, key=len))
    assert names[:4] == ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]


def test_the_log_probability_is_that_of_the_transcripts_tokens(built: Built) -> None:
    """Checked against a forward pass over the whole transcript."""
    adapter = HfAsrAdapter({"model": str(built(tiny_asr.whisper)), "max_new_tokens": 12})
    adapter.load()
    recogniser = adapter._recogniser
    sound = clip(2.0).samples
    (segment,) = recogniser.transcribe([sound], "en", 1, 2.0)
    features = recogniser._features([sound], sampling_rate=16_000, return_tensors="pt")["input_features"]
    ids = recogniser._tokenizer(segment.text, add_special_tokens=False)["input_ids"]
    prompt = recogniser._prompt("en")
    with torch.inference_mode():
        logits = recogniser.model(input_features=features, decoder_input_ids=torch.tensor([prompt + ids])).logits[0]
    logits = logits.clone()
    logits[:, recogniser.model.generation_config.suppress_tokens] = -torch.inf
    steps = logits[len(prompt) - 1 : -1].log_softmax(-1)
    expected = sum(float(step[token]) for step, token in zip(steps, ids, strict=True))
    assert segment.truncated
    assert segment.tokens == len(ids) == 12
    assert segment.logprob == pytest.approx(expected, abs=1e-3)


def test_a_batch_that_does_not_fit_is_halved(built: Built, hosted: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = HfAsrAdapter({"model": str(built(tiny_asr.wav2vec2))})
    served = hosted(adapter)
    clips = [clip(1.5, seed) for seed in range(5)]
    single = [served.ask(each).text for each in clips]
    model, sizes = adapter._recogniser.model, []
    forward = model.forward

    def limited(*args: Any, **inputs: Any) -> Any:
        sizes.append(len(inputs["input_values"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(*args, **inputs)

    monkeypatch.setattr(model, "forward", limited)
    written: list[tuple[int, str]] = []

    class Turn:
        cancelled = False

        def __init__(self, number: int) -> None:
            from omnigap.vocabulary import Modality
            from omnigap_services.adapter import Request

            self.number, self.request = number, Request(parts=(clips[number],), output=Modality.TEXT)

        def write(self, text: str) -> None:
            written.append((self.number, text))

        def complete(self, completion: object) -> None:
            pass

    adapter.generate([Turn(number) for number in range(5)])  # type: ignore[misc]
    assert sorted(written) == list(enumerate(single))
    assert sizes == [5, 2, 3, 1, 2]


def test_it_runs_as_in_its_container(built: Built, serve: Serve, serve_model: Any) -> None:
    options = {"model": str(built(other_asr.parakeet_ctc)), "max_new_tokens": 16, "cpu_threads": 1}
    served = serve("hf-asr", options)
    assert served.describe().digest == serve_model(other_asr.parakeet_ctc).describe().digest
    assert served.ask(clip(2.0)).text == serve_model(other_asr.parakeet_ctc).ask(clip(2.0)).text


def test_a_model_that_is_not_an_asr_model_is_refused(built: Built, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"llama, .*whisper"):
        HfAsrAdapter({"model": str(built(tiny_chat.llama))}).load()
    with pytest.raises(OptionsError, match=r"config\.json"):
        HfAsrAdapter({"model": str(tmp_path)}).load()
