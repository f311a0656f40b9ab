"""Recognises errors about the account behind a key: no credit, a wrong key, a closed account, or a limit that passes.

Providers use the statuses 400 to 403 and 429 for all of these, so the words of the whole body decide.
"""

from __future__ import annotations

import json
import re

from omnigap.vocabulary import Reason

ACCOUNT_STATUSES = {
    401: Reason.UNAUTHENTICATED,
    402: Reason.QUOTA_EXHAUSTED,
    403: Reason.PERMISSION_DENIED,
    429: Reason.RATE_LIMITED,
}
"""What these statuses mean if the words say nothing."""

PERMANENT = frozenset({Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED, Reason.QUOTA_EXHAUSTED})
"""Reasons that no further attempt changes."""

# In lower case, with "_" and "-" read as spaces. The first match counts.
_MONEY = r"(quota|balance|credits?|funds|allowance)"
_CERTAIN = (
    (
        Reason.QUOTA_EXHAUSTED,
        (
            rf"insufficient {_MONEY}|(not enough|out of|no( more)?|all( the)? available) {_MONEY}"
            rf"|{_MONEY}[a-z ]{{0,20}} (insufficient|exhausted|depleted|used up|too low|not enough|empty)"
            r"|exceeded current quota|(requires|need|add|buy|purchase) more credits|included credits|credit limit"
            r"|account is not active"
            r"|(usage|spend|spending|budget) (limit|cap)\b|billing (hard limit|not active|error|limit|disabled)"
            r"|hard limit (has been )?reached|payment required|please (recharge|top up)|arrearage|arrears"
            r"|(account|bill|balance|payment) ?(is )?overdue|free ?tier ?only|余额不足|欠费|额度不足|额度已用"
        ),
    ),
    (
        Reason.PERMISSION_DENIED,
        (
            r"(account|organi[sz]ation|project)[a-z ]{0,20} (deactivated|suspended|disabled|terminated|banned)"
            r"|deactivated account|access terminated"
        ),
    ),
    (
        Reason.UNAUTHENTICATED,
        (
            r"(invalid|incorrect|expired|missing|wrong|revoked|no) (api key|(access|auth|bearer) token|credentials)"
            r"|api key ((is )?(not valid|invalid|expired|missing|required|revoked)|not found)"
            r"|authentication (error|fails|failed|required)|invalid authentication|unauthenticated"
        ),
    ),
)
# These mean an empty account too, but some providers also write them of a limit that passes.
_MAYBE_QUOTA = re.compile(
    r"exceeded (your|the|my) (current |monthly |daily )?quota|quota ?(has been )?exceeded|trial key"
    r"|(monthly|daily) (limit|quota)"
)
_PASSING = re.compile(
    r"rate ?limit|too many requests|(try again|retry|wait)( again)? (in|after)|retry ?delay"
    r"|per ?(minute|min\b|second|sec\b)|throttl|concurren|overloaded|capacity"
)
_PER_DAY = "perday"
# Some gateways refuse a single question with 403.
_MODERATED = re.compile(r"moderation|flagged|content policy|content filter|safety")
_SEPARATORS = re.compile(r"[_\-\s]+")
_PATTERNS = tuple((reason, re.compile(pattern)) for reason, pattern in _CERTAIN)


def account_reason(status: int | None, message: str, body: object, *, retry_after: bool = False) -> Reason | None:
    """The reason of an error that is about the account; None for any other error.

    Args:
        status: of the response, or in the body; None: unknown.
        body: the whole body: gateways nest the provider's own error.
        retry_after: the server said when to try again.
    """
    whole = "" if body is None else json.dumps(body, ensure_ascii=False, default=str)
    words = _SEPARATORS.sub(" ", f"{message} {whole}".lower())
    if status == 403 and _MODERATED.search(words):
        return Reason.BAD_REQUEST
    if status is None or status in ACCOUNT_STATUSES or status < 500:
        for reason, pattern in _PATTERNS:
            if pattern.search(words):
                return reason
    passing = retry_after or _PASSING.search(words) is not None
    if status in ACCOUNT_STATUSES or status is None:
        # A limit for each day does not pass within a run.
        if _MAYBE_QUOTA.search(words) and (not passing or _PER_DAY in words):
            return Reason.QUOTA_EXHAUSTED
        if status == 403 and passing:
            return Reason.RATE_LIMITED
    return None if status is None else ACCOUNT_STATUSES.get(status)
