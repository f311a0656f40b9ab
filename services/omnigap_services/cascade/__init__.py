"""The cascade: a model assembled of an ASR that hears, an OCR that reads, a look-up that answers, a TTS that speaks."""
