"""The `hf-tts` service: TTS models of transformers (VITS, SpeechT5, CSM, Dia, Bark and others)."""
