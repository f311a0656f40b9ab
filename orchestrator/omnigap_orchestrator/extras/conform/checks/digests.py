"""The digest: one name for all that changes answers, the same wherever it is told."""

from __future__ import annotations

from omnigap.vocabulary import Condition, Reason
from omnigap_orchestrator.extras.conform.checks.working import NONE_ANSWERED, where_it_works
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.refusal import refused
from omnigap_orchestrator.extras.conform.reply import Fault
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, failed, judged, passed, skipped

_FOREIGN = "0" * 64


@check
async def describe_repeats_the_digest(subject: Subject) -> Finding:
    """Two Describe calls tell the same digest."""
    again = await subject.describe()
    if isinstance(again, Fault):
        return failed(f"the second Describe ended with {again}")
    if again.digest != subject.card.digest:
        text = f"the digest was {subject.card.digest!r}, then {again.digest!r}: leave times and random values out of it"
        return failed(text)
    return passed("the same twice")


@check
async def answers_carry_the_digest(subject: Subject) -> Finding:
    """`complete.digest` is Describe's digest, in every answer."""
    answered = await subject.answered_samples()
    faults = [
        f"{condition}: complete.digest is {reply.complete.digest!r}: send Describe's, {subject.card.digest!r}"
        for condition, reply in answered.items()
        if reply.complete.digest != subject.card.digest
    ]
    return judged(faults, f"the same in {len(answered)} answers") if answered else skipped(NONE_ANSWERED)


@check
@where_it_works
async def own_digest_is_accepted(subject: Subject, condition: Condition) -> Finding:
    """A call whose `expected_digest` is Describe's digest is answered."""
    request = question(condition, 1)
    request.expected_digest = subject.card.digest
    reply = await subject.ask(request)
    return passed("answered") if reply.whole else failed(f"{reply}: compare expected_digest with Describe's digest")


@check
@where_it_works
async def foreign_digest_is_refused(subject: Subject, condition: Condition) -> Finding:
    """A call whose `expected_digest` is another one is refused with DIGEST_MISMATCH."""
    request = question(condition, 1)
    request.expected_digest = _FOREIGN
    return await refused(subject, request, Reason.DIGEST_MISMATCH)
