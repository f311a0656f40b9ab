"""Errors about the account behind a key: a permanent one is asked once, a passing one is retried."""

from __future__ import annotations

from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.openai_server.body_errors import reason_of, reason_of_status
from tests.helpers.chat_server import ChatServer, sending, whole
from tests.services.openai_server.through import Through

QUESTION = "What is the capital of France?"
CURRENT_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def quota(limit: str) -> list[dict[str, Any]]:
    """The body of a provider that says the same of every limit, and when to retry."""
    return [error(CURRENT_QUOTA, details=[{"quotaId": f"Requests{limit}-Free"}, {"retryDelay": "9s"}])]


NO_QUOTA, DENIED, NO_KEY = Reason.QUOTA_EXHAUSTED, Reason.PERMISSION_DENIED, Reason.UNAUTHENTICATED
PERMANENT = [
    (429, error(CURRENT_QUOTA, type="insufficient_quota", code="insufficient_quota"), NO_QUOTA),
    (429, error(CURRENT_QUOTA), NO_QUOTA),
    (429, error("Your account has not enough balance", type="exceeded_current_quota_error"), NO_QUOTA),
    (429, error("余额不足或无可用资源包,请充值。", code="1113"), NO_QUOTA),
    (429, error("Your team has used all available credits"), NO_QUOTA),
    (429, error("You have reached your spend limit", type="rate_limit_error"), NO_QUOTA),
    (429, error("Your account is not active", code="billing_not_active"), NO_QUOTA),
    (429, error("Provider returned error", metadata={"raw": '{"code":"insufficient_quota"}'}), NO_QUOTA),
    (429, quota("PerDay"), NO_QUOTA),
    (400, error("Billing hard limit has been reached", code="billing_hard_limit_reached"), NO_QUOTA),
    (402, error("Insufficient Balance", type="unknown_error"), NO_QUOTA),
    (402, error("no", type="billing_error"), NO_QUOTA),
    (403, {"code": 30001, "message": "Sorry, your account balance is insufficient"}, NO_QUOTA),
    (401, error("quota", type="insufficient_quota", code=401), NO_QUOTA),
    (401, error("Incorrect API key provided: sk-x", code="invalid_api_key"), NO_KEY),
    (400, error("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"), NO_KEY),
    (401, error("Your account has been deactivated", code="account_deactivated"), DENIED),
    (403, error("The organization has no access to this model"), DENIED),
    (429, error("Your account has been suspended"), DENIED),
]

PASSING = [
    (429, error("Rate limit reached for requests per min. Please try again in 6s.", code="rate_limit_exceeded")),
    (429, error("Rate limit reached. Add a payment method at https://example.com/account/billing", type="requests")),
    (429, quota("PerMinute")),
    (429, error("The engine is currently overloaded", type="engine_overloaded_error")),
    (429, error("")),
    (403, error("User Rate Limit Exceeded", reason="userRateLimitExceeded")),
]


@pytest.mark.parametrize(("status", "body", "reason"), PERMANENT)
def test_a_permanent_error_is_one_request_with_the_servers_words(
    chat: ChatServer, through: Through, status: int, body: Any, reason: Reason
) -> None:
    service = through(max_retries=2)
    chat.then(*[sending(body, status, retry_after_ms="1")] * 3)
    with pytest.raises(ContractError) as failed:
        service.ask(QUESTION)
    assert failed.value.reason is reason
    assert len(chat.asked) == 1
    table = body[0] if isinstance(body, list) else body
    assert table.get("error", table)["message"] in failed.value.message


@pytest.mark.parametrize(("status", "body"), PASSING)
def test_a_passing_limit_is_rate_limited(status: int, body: Any) -> None:
    assert reason_of_status(status, "", body) is Reason.RATE_LIMITED


def test_a_quota_with_a_retry_after_header_passes(chat: ChatServer, through: Through) -> None:
    service = through(max_retries=1)
    chat.then(sending(error(CURRENT_QUOTA), 429, retry_after="1"), whole())
    assert service.ask(QUESTION).text == "Paris"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"code": 429, "message": "insufficient_quota"}, NO_QUOTA),
        ({"code": "insufficient_quota", "message": "no"}, NO_QUOTA),
        ({"code": 402, "message": "no"}, NO_QUOTA),
        ({"code": 401, "message": "no"}, NO_KEY),
        ({"type": "authentication_error", "message": "no"}, NO_KEY),
    ],
)
def test_errors_with_status_200_are_recognised(body: Any, reason: Reason) -> None:
    assert reason_of(body) is reason
