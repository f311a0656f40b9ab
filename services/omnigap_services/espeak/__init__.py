"""The espeak service: text to speech from the wheel of libespeak-ng."""
