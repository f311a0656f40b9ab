"""The `openai-speech` service: voices behind `/v1/audio/speech`."""
