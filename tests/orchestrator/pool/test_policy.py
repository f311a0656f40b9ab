"""When a service is given up: after time-outs in a row, or when it refuses every call for too long."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool.policy import Breaker

T = 120.0


def test_calls_that_time_out_one_after_the_other_end_the_service() -> None:
    breaker = Breaker(1, 30)
    assert breaker.timed_out("a", 0, T) == ""
    assert breaker.timed_out("b", T, 2 * T) == ""
    why = breaker.timed_out("c", 2 * T, 4 * T)
    assert "did not answer 3 calls in a row within 120 s each" in why and "request_timeout_s" in why


def test_calls_that_time_out_together_are_followed_by_others_first() -> None:
    breaker = Breaker(1, 30)
    assert not any(breaker.timed_out(call, 0, T) for call in range(8))
    assert breaker.timed_out(8, T, 3 * T)


def test_one_call_that_never_ends_does_not_end_the_service() -> None:
    breaker = Breaker(1, 30)
    assert not any(breaker.timed_out("endless", number * T, (number + 1) * T) for number in range(20))


def test_an_answer_starts_the_count_again() -> None:
    breaker = Breaker(1, 30)
    for number in range(30):
        assert breaker.timed_out(number, number * T, (number + 1) * T) == ""
        if number % 2:
            breaker.answered((number + 1) * T, 1.0)


def test_more_replicas_take_more_time_outs() -> None:
    breaker = Breaker(3, 30)
    ends = [breaker.timed_out(number, number * T, (number + 1) * T) for number in range(9)]
    assert [bool(end) for end in ends] == [False] * 8 + [True]


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.RATE_LIMITED, Reason.UPSTREAM_UNAVAILABLE])
def test_refusals_beyond_the_patience_end_the_service(reason: Reason) -> None:
    breaker = Breaker(1, 30)
    assert not any(breaker.refused(reason, "full", at, at + 0.01, []) for at in range(30))
    why = breaker.refused(reason, "full", 31, 31.01, [30.9])
    assert f"refused every call as {reason} for 31 s (full)" in why


def test_refusals_do_not_end_a_service_that_works_on_a_call() -> None:
    breaker = Breaker(1, 30)
    assert not any(breaker.refused(Reason.BUSY, "full", at, at + 0.01, [0.0]) for at in range(600))
    breaker.answered(600, 600)
    assert breaker.refused(Reason.BUSY, "full", 601, 601.01, []) == ""


def test_refusals_that_take_long_are_no_accepted_calls() -> None:
    breaker = Breaker(1, 30)
    assert breaker.refused(Reason.RATE_LIMITED, "later", 0, 20, [0.0, 5.0]) == ""
    assert breaker.refused(Reason.RATE_LIMITED, "later", 20, 40, [5.0, 20.0])
