"""Decoding of untrusted audio and images, with limits checked first, and encoding of the formats that are sent."""

from omnigap.media.audio import AudioClip, AudioLimits, decode_audio, encode_pcm16, encode_wav, pcm16_to_float, resample
from omnigap.media.image import ImageLimits, decode_image, encode_png

__all__ = [
    "AudioClip",
    "AudioLimits",
    "ImageLimits",
    "decode_audio",
    "decode_image",
    "encode_pcm16",
    "encode_png",
    "encode_wav",
    "pcm16_to_float",
    "resample",
]
