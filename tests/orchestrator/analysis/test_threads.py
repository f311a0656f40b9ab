"""Test that no number depends on the number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json
from made_up_results import drawn
from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, analyse
options = AnalysisOptions(intervals=IntervalOptions(draws=299))
made = (drawn(60, cluster_size=c, graded=g, replicates=2) for c, g in ((1, True), (4, False)))
tables = [analyse(results, options).to_json() for results in made]
print(json.dumps(tables))
"""


def output(threads: int) -> str:
    names = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=240).stdout


@pytest.mark.timeout(300)
def test_the_number_of_threads_changes_no_digit() -> None:
    assert output(1) == output(4)
