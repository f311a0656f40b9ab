"""Being asked to transcribe: then what was heard or read is the answer itself, word for word, and nothing is looked up.

A cascade sees the carrier and the typed parts beside it, and no more. So the request is known by its typed words:
`transcribe` or `verbatim`, or to write, copy or type something `word for word`.
"""

from __future__ import annotations

import re

from omnigap_services.adapter import Request

_ASKED = re.compile(r"\btranscribe\b|\bverbatim\b|\b(write|copy|type)\b.*\bword for word\b", re.I | re.S)


def asks_to_transcribe(request: Request) -> bool:
    """True where the text beside the carrier asks to write down what the carrier says."""
    return bool(_ASKED.search("\n".join(part for part in request.parts[1:] if isinstance(part, str))))
