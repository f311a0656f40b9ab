"""The contract between orchestrator and services: gRPC messages, client, vocabulary, media and digests."""

__version__ = "0.1.0"
