"""The `hf-tts` service: questions read aloud by VITS, SpeechT5, CSM, Dia, Bark and other voices of transformers."""
