"""Training of the micro Whisper that the ASR service ships; README.md describes how."""
