"""An HTTP server over real sockets that speaks `/v1/audio/speech` and `/v1/audio/transcriptions`."""

from __future__ import annotations

import json
import time
from email.parser import BytesParser
from typing import Any

import numpy as np

from omnigap.media import encode_pcm16, encode_wav
from tests.helpers.chat_server import RATE, Asked, ChatServer, Handler, Reply, tone


class AudioHandler(Handler):
    """Records the fields of JSON and form bodies; the file of a form is in `file`, as bytes."""

    def do_POST(self) -> None:  # noqa: N802
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not data:
            return  # the caller disconnected before it sent anything
        kind = self.headers["Content-Type"]
        body = _form(kind, data) if kind.startswith("multipart/") else json.loads(data)
        body["path"] = self.path
        owner = self.server.owner
        owner.asked.append(Asked(body, {name.lower(): value for name, value in self.headers.items()}, time.monotonic()))
        plain = transcript() if self.path.endswith("transcriptions") else speech()
        (owner.line.popleft() if owner.line else plain)(self, body)


def audio_server() -> ChatServer:
    """Listens on a free port; answers with the queued replies in `line`, then with default ones."""
    return ChatServer(AudioHandler)


def speech(samples: np.ndarray | None = None, rate: int = RATE) -> Reply:
    """A reply in the requested format; a second of tone if no samples are given."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        pcm = encode_pcm16(tone(1.0, rate) if samples is None else samples)
        if body["response_format"] == "pcm":
            handler.send(pcm, headers={"Content-Type": "audio/pcm"})
        else:
            handler.send(encode_wav(pcm, rate), headers={"Content-Type": "audio/wav"})

    return reply


def sending_bytes(data: bytes, content_type: str) -> Reply:
    """A reply of these bytes."""
    return lambda handler, _: handler.send(data, headers={"Content-Type": content_type})


def transcript(text: str = " Paris.", **fields: Any) -> Reply:
    """A reply with statistics if they are requested, like servers of OpenAI's Whisper and faster-whisper."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        found: dict[str, Any] = {"text": text}
        if body["response_format"] == "verbose_json":
            segments = [
                {"id": 0, "text": " Paris", "tokens": [1, 2, 3], "avg_logprob": -0.2, "no_speech_prob": 0.01},
                {"id": 1, "text": ".", "tokens": [4], "avg_logprob": -0.8, "no_speech_prob": 0.5},
            ]
            found |= {"task": "transcribe", "language": "english", "duration": 1.0, "segments": segments}
        handler.send(json.dumps({**found, **fields}).encode())

    return reply


def _form(kind: str, data: bytes) -> dict[str, Any]:
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + data)
    fields: dict[str, Any] = {}
    for part in message.get_payload():  # type: ignore[union-attr]
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        fields[name] = payload if part.get_filename() else payload.decode()  # type: ignore[union-attr]
    return fields
