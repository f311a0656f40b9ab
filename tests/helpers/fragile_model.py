"""A model for the tests of fleets: some questions crash its process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from omnigap.vocabulary import CONDITIONS
from omnigap_services.adapter import NATIVE, Adapter, Card, Turn


class Fragile(Adapter):
    """Exits on a text with `poison`; option `chatter`: prints long lines; option `child`: starts a child process."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)

    def load(self) -> Card:
        if self.options.get("child"):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        if self.options.get("chatter"):
            print("x" * 1_000_000, file=sys.stderr)
            print("the last words")
        return Card(name="fragile", conditions=dict.fromkeys(CONDITIONS, NATIVE), max_batch_size=4)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            if self.options.get("chatter"):
                print("y" * 1_000_000, flush=True)
            words = " ".join(turn.request.texts)
            if "poison" in words:
                print("the question was poison", file=sys.stderr, flush=True)
                os._exit(9)
            turn.write(words)
