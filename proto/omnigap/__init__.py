"""The contract that orchestrator and services share: gRPC messages, vocabulary, media, digests."""

__version__ = "0.1.0"
