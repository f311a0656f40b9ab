"""Calls to services: one replica, a pool of replicas, and what a failure means for the cell and for the replica."""

from omnigap_orchestrator.dispatch.pool import Away, CallFailed, Pool
from omnigap_orchestrator.dispatch.retry import RetryPolicy
from omnigap_orchestrator.dispatch.service import Service, ServiceError, connect

__all__ = ["Away", "CallFailed", "Pool", "RetryPolicy", "Service", "ServiceError", "connect"]
