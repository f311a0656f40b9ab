"""What is known of each system that omnigap is to reach: type, conditions, licence, memory, how it is run."""

from omnigap_orchestrator.registry.registry import System, load_registry

__all__ = ["System", "load_registry"]
