"""Calls to the services of a run: connections, replicas, retries."""

from omnigap_orchestrator.pool.health import WaitNotes
from omnigap_orchestrator.pool.policy import LEAVES_PENDING, CallFailed, RetryPolicy, Unavailable
from omnigap_orchestrator.pool.pool import Pool
from omnigap_orchestrator.pool.service import Service, ServiceError, connect, support_in

__all__ = [
    "LEAVES_PENDING",
    "CallFailed",
    "Pool",
    "RetryPolicy",
    "Service",
    "ServiceError",
    "Unavailable",
    "WaitNotes",
    "connect",
    "support_in",
]
