"""The `piper` service: text to speech with Piper voices, reproducible to the sample."""
