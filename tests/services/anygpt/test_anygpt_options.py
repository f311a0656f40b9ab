"""Errors of options name the key; a request's own decoding wins over them, and what does not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import DecodingOptions, Request
from omnigap_services.anygpt.options import SERVICE, AnygptOptions, decoding_of
from omnigap_services.options import OptionsError, read_options
from tests.services.anygpt.recorded import picture, tone

OPTIONS = AnygptOptions(checkpoint="x")


def request(part: Any = "Hi", output: Modality = Modality.TEXT, **decoding: Any) -> Request:
    return Request((part,), output, decoding=DecodingOptions(**decoding))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "'checkpoint' is missing"),
        ({"checkpoint": "x", "speach": True}, "did you mean 'speech'"),
        ({"checkpoint": "x", "speech_template": "{text} Please"}, "{speech} and {text}"),
        ({"checkpoint": "x", "image_template": "{image} {text} {answer}"}, "{image} and {text}"),
        ({"checkpoint": "x", "text_template": "{text"}, "text_template"),
        ({"checkpoint": "x", "text_template": "{text!r}"}, "text_template"),
        ({"checkpoint": "x", "text_template": "{text:>9}"}, "text_template"),
        ({"checkpoint": "x", "text_template": "{text} {text}"}, "text_template"),
        ({"checkpoint": "x", "vc_steps": 0}, "vc_steps"),
        ({"checkpoint": "x", "max_speech_tokens": 0}, "max_speech_tokens"),
    ],
)
def test_an_invalid_option_is_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(OptionsError) as refused:
        read_options(AnygptOptions, SERVICE, given)
    assert named in str(refused.value)
    assert "anygpt" in str(refused.value)


@given(st.text(alphabet="{}text !:", max_size=12))
def test_a_template_is_valid_or_refused(template: str) -> None:
    try:
        options = AnygptOptions(checkpoint="x", text_template=template)
    except ValueError:
        return
    assert options.text_template.replace("{{", "").replace("}}", "").count("{text}") == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"decoding": DecodingOptions(beam_size=4)}, "beam_size"),
        ({"decoding": DecodingOptions(top_p=0.5)}, "temperature"),
        ({"decoding": DecodingOptions(top_k=5)}, "temperature"),
        ({"decoding": DecodingOptions(repetition_penalty=0.0)}, "repetition_penalty"),
        ({"decoding": DecodingOptions(extra={"talker": "1"})}, "max_speech_tokens"),
        ({"decoding": DecodingOptions(extra={"max_speech_tokens": "many"})}, "'many'"),
        ({"decoding": DecodingOptions(extra={"max_speech_tokens": "0"})}, "at least 1"),
        ({"decoding": DecodingOptions(extra={"max_speech_tokens": "9" * 5_000})}, "whole number"),
        ({"words_per_minute": 120.0}, "words_per_minute"),
        ({"voice": "Ethan"}, "voice_clip"),
    ],
)
def test_a_request_for_what_the_model_lacks_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ContractError, match=named) as refused:
        decoding_of(Request(("Hi",), Modality.TEXT, **fields), OPTIONS)
    assert refused.value.reason is Reason.BAD_REQUEST


def test_the_default_is_greedy_with_the_repetition_penalty_on_speech_only() -> None:
    typed = decoding_of(request(output=Modality.SPEECH), OPTIONS)
    assert not typed.samples
    assert typed.text.generate_arguments() == {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
    assert typed.reading.repetition_penalty == 1.05
    assert decoding_of(request(picture()), OPTIONS).text.repetition_penalty == 1.0


@pytest.mark.parametrize("clip", [tone(0.5)])
def test_written_and_spoken_answers_to_speech_have_one_decoding(clip: AudioClip) -> None:
    written = decoding_of(request(clip), OPTIONS)
    assert written == decoding_of(request(clip, Modality.SPEECH), OPTIONS)
    assert written.text.repetition_penalty == 1.05


def test_a_request_wins_over_the_options() -> None:
    options = AnygptOptions(checkpoint="x", temperature=0.5, seed=3, max_new_tokens=9)
    found = decoding_of(request(), options)
    assert (found.text.temperature, found.seed, found.max_new_tokens) == (0.5, 3, 9)
    asked = {"temperature": 0.0, "seed": 7, "max_new_tokens": 2, "repetition_penalty": 1.5}
    found = decoding_of(request(**asked, extra={"max_speech_tokens": "11"}), options)
    assert (found.text.temperature, found.seed, found.max_new_tokens, found.max_speech_tokens) == (0.0, 7, 2, 11)
    assert found.text.repetition_penalty == found.reading.repetition_penalty == 1.5


def test_sampling_passes_every_parameter() -> None:
    found = decoding_of(request(temperature=0.7), OPTIONS)
    assert found.samples
    # The library's own default would be top_k = 50.
    assert found.text.generate_arguments() == {
        "do_sample": True,
        "num_beams": 1,
        "repetition_penalty": 1.0,
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
    }
