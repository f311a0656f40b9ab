"""A model composed of a language model and, where it needs them, ASR, OCR and TTS services."""
