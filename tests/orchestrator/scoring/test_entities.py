"""Entity errors: NE-WER and NE-FNR over the gold answers."""

import pytest

from omnigap_orchestrator.scoring import entity_errors, pooled_entities, word_errors


def test_exact_entities_have_no_errors() -> None:
    errors = entity_errors("It was Neil Armstrong.", "it was neil armstrong", ["Neil Armstrong"])
    assert (errors.ne_wer, errors.ne_fnr, errors.hits, errors.entities) == (0, 0, 1, 1)


def test_missing_entity_is_a_deletion_and_a_false_negative() -> None:
    errors = entity_errors("It was Neil Armstrong.", "it was a man", ["Neil Armstrong"])
    assert (errors.ne_wer, errors.ne_fnr) == (1, 1)


def test_errors_outside_the_entities_do_not_count() -> None:
    reference, transcript = "I think that it was Paris", "eye sink at twas paris"
    assert entity_errors(reference, transcript, ["Paris"]).ne_wer == 0
    assert word_errors(reference, transcript).rate > 0.5  # type: ignore[operator]


def test_two_words_must_match_exactly_and_three_may_differ_by_one() -> None:
    # ceil(n / 2) - 1 edits: 0 for one and two words, 1 for three and four.
    assert entity_errors("Conan Doyle", "Conan Boyle", ["Conan Doyle"]).ne_wer == 1
    three = entity_errors("Arthur Conan Doyle", "it was arthur conan boyle", ["Arthur Conan Doyle"])
    assert three.ne_wer == pytest.approx(1 / 3)
    assert three.ne_fnr == 1


def test_a_shorter_or_longer_window_may_match() -> None:
    entity = ["Arthur Conan Doyle"]
    assert entity_errors("Arthur Conan Doyle", "so arthur doyle wrote it", entity).ne_wer == pytest.approx(1 / 3)
    assert entity_errors("Arthur Conan Doyle", "arthur young conan doyle", entity).ne_wer == pytest.approx(1 / 3)


def test_an_entity_counts_as_often_as_the_reference_has_it() -> None:
    errors = entity_errors("Paris and Paris", "paris paris paris", ["Paris"])
    assert (errors.hits, errors.entities, errors.ne_fnr) == (2, 2, 0)
    assert entity_errors("Paris", "paris paris", ["Paris"]).words.insertions == 1
    assert entity_errors("Paris and Paris", "paris", ["Paris"]).ne_fnr == 0.5


def test_aliases_outside_the_reference_are_ignored() -> None:
    errors = entity_errors("It was Einstein", "it was einstein", ["Albert Einstein", "Einstein"])
    assert (errors.entities, errors.ne_wer, errors.ne_fnr) == (1, 0, 0)


def test_rates_are_none_without_entities() -> None:
    errors = entity_errors("It was he", "it was she", ["Einstein"])
    assert errors.ne_wer is None
    assert errors.ne_fnr is None


def test_reference_and_hypothesis_are_normalised() -> None:
    assert entity_errors("in 1969", "in nineteen sixty nine", ["1969"]).ne_fnr == 0


def test_pooled_entities_sums_counts() -> None:
    total = pooled_entities(
        [entity_errors("Paris", "paris", ["Paris"]), entity_errors("Conan Doyle", "nothing", ["Conan Doyle"])]
    )
    assert total.ne_wer == pytest.approx(2 / 3)
    assert total.ne_fnr == 0.5


def test_korean_entities_match_by_syllable() -> None:
    assert entity_errors("정답은 세종대왕입니다", "정답은 세종 대왕입니다", ["세종대왕"], "ko").ne_fnr == 0
    assert entity_errors("세종대왕", "세종대앙", ["세종대왕"], "ko").ne_wer == pytest.approx(1 / 4)
