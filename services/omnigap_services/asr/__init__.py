"""The ASR service: speech to text with faster-whisper, deterministic, batched across requests, any checkpoint."""
