"""Calls to services: one replica, a pool of replicas, and what a failure means for the cell and for the replica."""

from omnigap_orchestrator.pool.pool import Away, CallFailed, Pool, RetryPolicy, Service, ServiceError, connect

__all__ = ["Away", "CallFailed", "Pool", "RetryPolicy", "Service", "ServiceError", "connect"]
