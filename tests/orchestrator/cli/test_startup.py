"""Commands that compute nothing start without the libraries of the analysis: checked on `sys.modules`, not by time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ANALYSIS = ("scipy", "matplotlib")
CASES = [
    (["--help"], (*ANALYSIS, "polars", "numpy", "grpc")),
    (["models", "--json"], (*ANALYSIS, "polars")),
    (["conform", "127.0.0.1:1", "--timeout", "0.1"], (*ANALYSIS, "polars")),
    (["doctor"], ANALYSIS),
    (["plan"], ANALYSIS),
]

PROGRAM = """
import sys
from omnigap_orchestrator.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(("arguments", "absent"), CASES, ids=[case[0][0] for case in CASES])
def test_a_command_does_not_import_what_it_does_not_use(
    arguments: list[str], absent: tuple[str, ...], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    loaded = ended.stdout.rpartition("LOADED")[2].split()
    assert "omnigap_orchestrator" in loaded, ended.stderr
    assert not set(absent) & set(loaded)
