"""The service over a real server, and its batches: what is declared, refused, stopped, split and independent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, FinishReason, Modality, Reason, Support
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.adapter import DecodingOptions, InputPart
from omnigap_services.nextgpt.adapter import NextgptAdapter
from omnigap_services.options import OptionsError
from tests.helpers.in_process import Host
from tests.helpers.recorded_turn import RecordedTurn
from tests.helpers.serve_process import Served
from tests.services.nextgpt.conftest import Make

QUESTIONS = ("Who is it?", "Where is the river that you saw first?", "Say it in one word. " * 5)


def picture(number: int, width: int = 300, height: int = 100) -> Image.Image:
    draw = np.random.default_rng(number)
    return Image.fromarray(draw.integers(0, 255, (height, width, 3), dtype=np.uint8))


def clip(number: int, seconds: float = 1.0) -> AudioClip:
    draw = np.random.default_rng(number)
    return AudioClip(draw.standard_normal(round(16_000 * seconds)).astype(np.float32) * 0.2, 16_000)


def eight() -> list[tuple[InputPart, ...]]:
    """Questions of every kind and of different lengths."""
    return [
        (QUESTIONS[0],),
        (picture(0),),
        (QUESTIONS[2], "In one word."),
        (picture(1, 80, 400), QUESTIONS[0]),
        (clip(0),),
        (QUESTIONS[1],),
        (clip(1, 4.2), QUESTIONS[2]),
        (picture(2, 50, 50), QUESTIONS[1]),
    ]


def texts(adapter: NextgptAdapter, turns: list[RecordedTurn]) -> list[str]:
    adapter.generate(turns)
    assert [turn.error for turn in turns] == [None] * len(turns)
    return [turn.text for turn in turns]


@pytest.mark.parametrize("beams", [1, 2])
def test_a_batch_of_eight_is_answered_like_single_questions(adapter: NextgptAdapter, beams: int) -> None:
    decoding = DecodingOptions(max_new_tokens=24, beam_size=beams)
    together = texts(adapter, [RecordedTurn(*parts, decoding=decoding) for parts in eight()])
    assert together == [texts(adapter, [RecordedTurn(*parts, decoding=decoding)])[0] for parts in eight()]
    assert len(set(together)) == 8


def test_the_logits_of_a_batch_are_those_of_single_questions(adapter: NextgptAdapter) -> None:
    """Left padding changes nothing but the rounding."""
    generation, model = adapter._generation, adapter._generation._parts.llm
    requests = [RecordedTurn(*parts).request for parts in eight()]

    def logits(chosen: list[Any]) -> torch.Tensor:
        prompts = generation._build(chosen, None)  # type: ignore[arg-type]
        mask = prompts.inputs["attention_mask"]
        with torch.inference_mode():
            places = (mask.cumsum(-1) - 1).clamp(min=0)
            return model(**prompts.inputs, position_ids=places).logits[:, -1]  # type: ignore[no-any-return]

    single = torch.cat([logits([request]) for request in requests])
    torch.testing.assert_close(logits(requests), single, atol=2e-4, rtol=1e-4)


def test_the_request_decides_the_decoding(adapter: NextgptAdapter) -> None:
    def answer(**fields: Any) -> str:
        return texts(adapter, [RecordedTurn(QUESTIONS[1], decoding=DecodingOptions(max_new_tokens=24, **fields))])[0]

    greedy = answer()
    assert answer(repetition_penalty=3.0) != greedy
    warm = [answer(temperature=3.0, seed=seed) for seed in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2]
    assert answer(temperature=3.0, top_k=1, seed=5) == greedy
    short = RecordedTurn(QUESTIONS[1], decoding=DecodingOptions(max_new_tokens=3))
    assert greedy.startswith(texts(adapter, [short])[0])
    assert short.completion is not None
    assert (short.completion.finish_reason, short.completion.output_tokens) == (FinishReason.LENGTH, 3)


def test_sampled_answers_do_not_depend_on_their_batch(adapter: NextgptAdapter) -> None:
    warm = DecodingOptions(max_new_tokens=12, temperature=2.0, seed=4)
    turns = [RecordedTurn(QUESTIONS[0], decoding=warm), RecordedTurn(QUESTIONS[1]), RecordedTurn(picture(0))]
    found = texts(adapter, turns)[0]
    assert found == texts(adapter, [RecordedTurn(QUESTIONS[0], decoding=warm)])[0]


@contextmanager
def scripted(adapter: NextgptAdapter, *answers: str | list[int]) -> Iterator[None]:
    """Makes each row of a batch write a text, in its place among the logits, then end."""
    words = adapter._generation._parts.vocabulary
    scripts = [answer if isinstance(answer, list) else words.text_ids(answer)[1:] for answer in answers]
    step = [0]

    def force(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        for row, script in enumerate(scripts):
            output[row, -1, script[step[0]] if step[0] < len(script) else words.end] += 1e4
        step[0] += 1
        return output

    handle = adapter._generation._parts.llm.lm_head.register_forward_hook(force)
    try:
        yield
    finally:
        handle.remove()


LONG = DecodingOptions(max_new_tokens=200)


@pytest.mark.parametrize("text", ["Paris.\n### Human: And?", "Paris. ### x", " Paris.###", "Paris.\n\n####"])
def test_an_answer_ends_where_the_next_turn_begins(adapter: NextgptAdapter, text: str) -> None:
    """Whatever ids the mark consists of; the row stops there."""
    turn = RecordedTurn("Where?", decoding=LONG)
    with scripted(adapter, text):
        adapter.generate([turn])
    assert turn.text == "Paris."
    assert turn.completion is not None
    assert turn.completion.finish_reason is FinishReason.STOP
    assert turn.completion.output_tokens <= len(adapter._generation._parts.vocabulary.text_ids(text))


def test_rows_stop_on_their_own(adapter: NextgptAdapter) -> None:
    turns = [RecordedTurn("Where?", decoding=LONG), RecordedTurn("Who?", decoding=LONG)]
    with scripted(adapter, "Paris.\n### Human", "It is the one with the long name, # 1 ## of all."):
        adapter.generate(turns)
    assert [turn.text for turn in turns] == ["Paris.", "It is the one with the long name, # 1 ## of all."]


def test_signal_tokens_are_never_written(adapter: NextgptAdapter) -> None:
    words = adapter._generation._parts.vocabulary
    pad = next(iter(words.added.values()))
    wanted = [words.added["[IMG0]"], words.added["[AUD7]"], words.added["<Img>"], pad] * 2
    turn = RecordedTurn("Draw it.", decoding=DecodingOptions(max_new_tokens=8))
    with scripted(adapter, wanted):
        adapter.generate([turn])
    plain = texts(adapter, [RecordedTurn("Draw it.", decoding=DecodingOptions(max_new_tokens=8))])[0]
    assert turn.text == plain != ""


def test_a_cancelled_row_stops_and_the_others_continue(adapter: NextgptAdapter) -> None:
    class CancelledTurn(RecordedTurn):
        def write(self, text: str) -> None:
            super().write(text)
            self.cancelled = self.cancelled or bool(text)

    stays, leaves = RecordedTurn(QUESTIONS[0]), CancelledTurn(picture(0))
    adapter.generate([stays, leaves])
    assert stays.text == texts(adapter, [RecordedTurn(QUESTIONS[0])])[0]
    assert leaves.completion is None
    assert leaves.text != texts(adapter, [RecordedTurn(picture(0))])[0]


@pytest.mark.parametrize("steps", [0, 5], ids=["in the prompt pass", "during the answer"])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_sent_twice(
    adapter: NextgptAdapter, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    single = [texts(adapter, [RecordedTurn(*parts)])[0] for parts in eight()[:5]]
    model = adapter._generation._parts.llm
    forward, sizes, count = model.forward, [], [0]

    def limited(*args: Any, **inputs: Any) -> Any:
        first = inputs.get("inputs_embeds") is not None
        rows = len(inputs["inputs_embeds"] if first else inputs["input_ids"])
        count[0] = 0 if first else count[0] + 1
        if first:
            sizes.append(rows)
        if rows > 2 and count[0] >= steps:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*args, **inputs)

    monkeypatch.setattr(model, "forward", limited)
    assert texts(adapter, [RecordedTurn(*parts) for parts in eight()[:5]]) == single
    assert sizes == [5, 2, 3, 1, 2]


def test_memory_that_ends_in_the_image_tower_splits_the_batch(
    adapter: NextgptAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    single = [texts(adapter, [RecordedTurn(picture(number))])[0] for number in range(3)]
    tower = adapter._generation._parts.vision
    forward, calls = tower.forward, [0]

    def limited(features: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        if calls[0] == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(features)

    monkeypatch.setattr(tower, "forward", limited)
    assert texts(adapter, [RecordedTurn(picture(number)) for number in range(3)]) == single


def test_a_question_that_is_too_long_does_not_fail_others(adapter: NextgptAdapter) -> None:
    turns = [RecordedTurn("Who?"), RecordedTurn("a7" * 3_000), RecordedTurn(picture(0))]
    adapter.generate(turns)
    assert isinstance(turns[1].error, ContractError)
    assert turns[1].error.reason is Reason.TOO_LARGE
    assert [turn.completion is not None for turn in turns] == [True, False, True]


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        (DecodingOptions(extra={"min_p": "0.1"}), "min_p.*no such keys"),
        (DecodingOptions(temperature=1.0, beam_size=2), "beam_size 2"),
        (DecodingOptions(repetition_penalty=0.0), "over 0"),
    ],
)
def test_a_bad_request_fails_alone(adapter: NextgptAdapter, decoding: DecodingOptions, message: str) -> None:
    good, bad = RecordedTurn("Who?"), RecordedTurn("Who?", decoding=decoding)
    adapter.generate([good, bad])
    assert good.completion is not None
    with pytest.raises(ContractError, match=message) as caught:
        raise bad.error or AssertionError
    assert caught.value.reason is Reason.BAD_REQUEST


def test_a_wide_picture_is_seen_to_its_ends(make: Make, adapter: NextgptAdapter) -> None:
    """The authors' crop gives one vector to pictures that differ at their ends only."""
    first, second = picture(0, 600, 100), picture(0, 600, 100)
    second.paste("red", (0, 0, 90, 100))
    cut = make(letterbox=False)._generation._parts
    whole = adapter._generation._parts
    assert torch.equal(cut.vectors([first]), cut.vectors([second]))
    assert not torch.allclose(whole.vectors([first]), whole.vectors([second]), atol=1e-3)


@pytest.fixture(scope="module")
def served(make: Make, hosted: Host) -> Served:
    return hosted(make(loaded=False))


@pytest.fixture(scope="module")
def control(make: Make, hosted: Host) -> Served:
    return hosted(make(loaded=False, audio_control=True, max_batch_size=2))


async def test_the_control_conforms(control: Served) -> None:
    """Without it: tests/services/torch_utils/test_tiny.py."""
    found = await conform(control.address)
    assert [one for one in found.results if one.status in (Status.FAILED, Status.WARNING)] == []
    assert found.count(Status.PASSED) >= 38


def capabilities(served: Served) -> dict[str, tuple[str, str]]:
    letters = {pb.MODALITY_TEXT: "t", pb.MODALITY_SPEECH: "s", pb.MODALITY_IMAGE: "i"}
    return {
        f"{letters[c.input]}2{letters[c.output]}": (pb.Support.Name(c.support).removeprefix("SUPPORT_"), c.reason)
        for c in served.describe().conditions
    }


def test_the_card_says_what_is_not_supported_and_why(served: Served, control: Served) -> None:
    plain, controlled = capabilities(served), capabilities(control)
    assert {name: support for name, (support, _) in plain.items()} == {
        **dict.fromkeys(("t2t", "i2t"), "NATIVE"),
        **dict.fromkeys(("s2t", "t2s", "s2s", "i2s"), "UNSUPPORTED"),
    }
    assert "cannot carry the words" in plain["s2t"][1]
    assert "audio_control" in plain["s2t"][1]
    assert "no voice" in plain["t2s"][1]
    assert "cascade" in plain["i2s"][1]
    assert "with margins" in plain["i2t"][1]
    support, reason = controlled.pop("s2t")
    assert support == "ASSISTED"
    assert reason.startswith("a control at chance level, not support for speech")
    assert controlled == {name: found for name, found in plain.items() if name != "s2t"}
    assert served.describe().name == "nextgpt-tiny"
    assert control.describe().name == "nextgpt-tiny-audio-control"
    assert served.describe().digest != control.describe().digest


def test_spoken_questions_are_refused_without_the_control(served: Served, control: Served) -> None:
    with pytest.raises(ContractError, match="vector of a whole clip") as caught:
        served.ask(clip(0))
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION
    assert control.ask(clip(0)).text
    with pytest.raises(ContractError, match="sound effects"):
        served.ask("Hi", output=Modality.SPEECH)


def test_settings_say_how_a_picture_is_fitted(make: Make) -> None:
    whole, cut = make().load(), make(letterbox=False).load()
    assert "all of it is used" in whole.settings["image"]
    assert "cut off" in cut.settings["image"]
    assert "cut" not in cut.conditions[Condition.parse("i2t")].reason
    assert cut.conditions[Condition.parse("i2t")].support is Support.NATIVE


def test_text_is_streamed(adapter: NextgptAdapter) -> None:
    class StreamedTurn(RecordedTurn):
        def write(self, text: str) -> None:
            pieces.append(text)
            super().write(text)

    pieces: list[str] = []
    (text,) = texts(adapter, [StreamedTurn(QUESTIONS[1])])
    assert sum(map(bool, pieces)) > 4
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vicuna": ""}, "'vicuna'"),
        ({"delta": None}, "'delta'"),
        ({"lora_alpha": 0}, "'lora_alpha'"),
        ({"audio": True}, "unknown option 'audio'"),
        ({"vicuna": "lmsys/vicuna-7b-v1.1"}, "'vicuna'.*full commit"),
        ({"delta": "ChocoWu/nextgpt_7b_tiva_v0"}, "'delta'.*full commit"),
        ({"imagebind": "/nowhere/imagebind_huge.pth"}, "'imagebind'.*nowhere"),
        ({"temperature": -1}, "'temperature'"),
    ],
)
def test_errors_name_the_option(options: dict[str, object], message: str, make: Make, hub_cache: Any) -> None:
    with pytest.raises(OptionsError, match=message):
        make(**options)


def test_all_missing_options_are_named() -> None:
    with pytest.raises(OptionsError, match=r"'vicuna' is missing.*'delta' is missing.*'imagebind' is missing"):
        NextgptAdapter({})
