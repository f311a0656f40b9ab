"""The `openai-asr` service: scorers behind `/v1/audio/transcriptions`."""
