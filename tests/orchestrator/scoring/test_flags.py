"""Flags of an answer: silence, truncation, refusal, wrong language, suspect transcript."""

import pytest

from omnigap.vocabulary import FinishReason, Flag
from omnigap_orchestrator.scoring import AsrStats, AudioStats, answer_flags, is_refusal, wrong_language

SOUND = AudioStats(seconds=2.0, rms=0.05, peak=0.5)


def test_good_answer_has_no_flags() -> None:
    assert answer_flags("Paris") == frozenset()
    assert (
        answer_flags("It is Paris.", audio=SOUND, transcript="it's paris", asr=AsrStats(-0.2, 0.01, 1.1)) == frozenset()
    )


@pytest.mark.parametrize("audio", [AudioStats(2.0, 0.0, 0.0), AudioStats(2.0, 5e-5, 1e-4), AudioStats(0.01, 0.1, 0.5)])
def test_audio_without_sound_is_silent_even_if_the_scorer_invents_words(audio: AudioStats) -> None:
    assert answer_flags("Paris", audio=audio, transcript="paris") == {Flag.SILENT}


def test_empty_transcript_is_silent() -> None:
    assert answer_flags("Paris", audio=SOUND, transcript=" ... ") == {Flag.SILENT}


def test_audio_without_transcript_yet_is_not_silent() -> None:
    assert answer_flags("Paris", audio=SOUND) == frozenset()


@pytest.mark.parametrize("audio", [AudioStats(2.0, 5e-4, 0.003), AudioStats(2.0, 1e-4, 0.02)])
def test_quiet_audio_is_silent_unless_words_were_heard_in_it(audio: AudioStats) -> None:
    assert answer_flags("Paris", audio=audio, transcript="paris") == frozenset()
    assert answer_flags("Paris", audio=audio, transcript=" ... ") == {Flag.SILENT}
    assert answer_flags("Paris", audio=audio) == {Flag.SILENT}


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u2060", "\u3000"])
def test_a_text_answer_without_visible_characters_is_empty_and_never_silent(text: str) -> None:
    assert answer_flags(text) == {Flag.EMPTY}
    assert answer_flags(text, finish_reason=FinishReason.LENGTH) == {Flag.EMPTY, Flag.TRUNCATED}


@pytest.mark.parametrize("text", [".", "?", "°", "0", "가"])
def test_a_text_answer_with_a_visible_character_is_not_empty(text: str) -> None:
    assert Flag.EMPTY not in answer_flags(text)


@pytest.mark.parametrize(
    ("stretch_s", "trained_s", "suspect"),
    [(8.1, 8.0, True), (8.0, 8.0, False), (30.0, None, False), (30.0, 0.0, False)],
)
def test_speech_beyond_the_length_that_the_scorer_was_trained_for_makes_a_transcript_suspect(
    stretch_s: float, trained_s: float | None, suspect: bool
) -> None:
    stats = AsrStats(-0.5, 0.1, 1.2, stretch_s, trained_s)
    found = answer_flags("Paris", audio=AudioStats(9.0, 0.1, 0.5), transcript="paris", asr=stats)
    assert (Flag.SUSPECT_TRANSCRIPT in found) is suspect


def test_finish_reason_length_is_truncated() -> None:
    assert answer_flags("Paris is", finish_reason=FinishReason.LENGTH) == {Flag.TRUNCATED}


def test_audio_too_short_for_its_text_is_truncated() -> None:
    text = "the capital of france has been the city of paris for a very long time indeed"
    assert answer_flags(text, audio=AudioStats(1.0, 0.05, 0.5)) == {Flag.TRUNCATED}
    assert answer_flags(text, audio=AudioStats(4.0, 0.05, 0.5)) == frozenset()


@pytest.mark.parametrize(
    "transcript", ["the capital of france", "the capital of france is", "The capital of France is Par"]
)
def test_transcript_that_stops_early_is_truncated(transcript: str) -> None:
    assert answer_flags("The capital of France is Paris.", audio=SOUND, transcript=transcript) == {Flag.TRUNCATED}


def test_last_word_without_its_last_letter_is_not_truncated() -> None:
    assert answer_flags("shell", audio=SOUND, transcript="shel") == frozenset()


@pytest.mark.parametrize(
    "transcript", ["The capital of France is Paris", "capital of france is paris", "the capital is paris"]
)
def test_complete_transcript_is_not_truncated(transcript: str) -> None:
    assert answer_flags("The capital of France is Paris.", audio=SOUND, transcript=transcript) == frozenset()


@pytest.mark.parametrize(
    "asr", [AsrStats(avg_logprob=-1.2), AsrStats(compression_ratio=2.6), AsrStats(no_speech_prob=0.7)]
)
def test_values_beyond_whisper_thresholds_are_suspect(asr: AsrStats) -> None:
    assert answer_flags("Paris", audio=SOUND, transcript="paris", asr=asr) == {Flag.SUSPECT_TRANSCRIPT}


def test_values_at_whisper_thresholds_are_not_suspect() -> None:
    assert answer_flags("Paris", audio=SOUND, transcript="paris", asr=AsrStats(-1.0, 0.6, 2.4)) == frozenset()


def test_refusal_and_wrong_language_flags() -> None:
    assert answer_flags("I don't know.") == {Flag.REFUSED}
    assert answer_flags("Paris", finish_reason=FinishReason.REFUSED) == {Flag.REFUSED}
    assert answer_flags("I don't know.", audio=SOUND, transcript="i don't know") == {Flag.REFUSED}
    assert answer_flags("Париж") == {Flag.WRONG_LANGUAGE}
    assert answer_flags("서울", language="ko") == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "i do not know",
        "Sorry, I don't know the answer to that.",
        "I'm sorry, but I can't help with that.",
        "I am unable to see the image.",
        "I cannot hear any audio.",
        "I'm not sure.",
        "I have no idea.",
        "No idea",
        "As an AI language model, I cannot listen to audio.",
        "There is no image.",
        "Please provide the audio file.",
        "Could you please repeat the question?",
        "It is not possible to determine that.",
        "Unfortunately, I can't answer this question.",
        "I didn't catch that.",
        "Unknown.",
    ],
)
def test_english_refusals(text: str) -> None:
    assert is_refusal(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "I'm not sure, but I think it is Paris.",
        "I don't know for certain, but it is Paris",
        "I don't know, maybe Paris?",
        "I know that it is Paris",
        "He said that he did not know.",
        "The Unknown Soldier",
        "no",
        "",
        "There is no planet closer to the sun than Mercury",
        "Canterbury",
        "please",
    ],
)
def test_english_attempts_are_not_refusals(text: str) -> None:
    assert not is_refusal(text, "en")


@pytest.mark.parametrize(
    "text", ["모르겠습니다.", "잘 모르겠어요", "죄송하지만 답변할 수 없습니다", "이미지를 볼 수 없습니다."]
)
def test_korean_refusals(text: str) -> None:
    assert is_refusal(text, "ko")


@pytest.mark.parametrize("text", ["서울", "정답은 서울입니다.", "잘 모르겠지만 아마 서울일 것입니다."])
def test_korean_attempts_are_not_refusals(text: str) -> None:
    assert not is_refusal(text, "ko-KR")


@pytest.mark.parametrize(
    ("text", "language", "wrong"),
    [
        ("Paris", "en", False),
        ("naïve café", "en", False),
        ("1969", "en", False),
        ("", "en", False),
        ("巴黎", "en", True),
        ("답은 파리입니다", "en", True),
        ("Париж", "en", True),
        ("Tokyo (東京)", "en", False),
        ("서울", "ko", False),
        ("NASA", "ko", False),
        ("The answer is the city of Seoul", "ko", True),
        ("정답은 NASA입니다", "ko-KR", False),
        ("東京です", "ja", False),
        ("東京", "zh", False),
        ("とうきょうですよ", "zh", True),
        ("Die Antwort ist Köln", "de", False),
    ],
)
def test_wrong_language_by_script(text: str, language: str, wrong: bool) -> None:
    assert wrong_language(text, language) is wrong
