"""The ASR service: speech to text with faster-whisper, any checkpoint, deterministic and batched across requests."""
