"""The Generate server: everything around an adapter except the model."""

from omnigap_services.server.lifecycle import SERVICE, PortTakenError, Server, ServerOptions

__all__ = ["SERVICE", "PortTakenError", "Server", "ServerOptions"]
