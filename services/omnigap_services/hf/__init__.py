"""Services over Hugging Face transformers: `hf-chat` (chat models), `hf-tts` (TTS) and `hf-asr` (ASR)."""
