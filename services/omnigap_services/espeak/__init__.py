"""The `espeak` service: text to speech with libespeak-ng from a wheel."""
