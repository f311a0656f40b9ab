"""Helpers of all services with a torch model: devices, checkpoints, versions, memory, seeds, cancellation."""
