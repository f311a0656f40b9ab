"""Services over Hugging Face transformers: `hf-chat` (brains), `hf-tts` (voices), `hf-asr` (ears)."""
