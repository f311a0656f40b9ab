"""Registers the scorers of named benchmarks: VoiceBench's and IFEval's metrics and presets."""

from __future__ import annotations

from omnigap_orchestrator.extension import Extra, Metrics


class NamedBenchmarks(Extra):
    """VoiceBench and IFEval."""

    name = "named_benchmarks"

    def metrics(self) -> Metrics:
        from omnigap_orchestrator.extras.named_benchmarks import ifeval, voicebench

        return Metrics((*ifeval.METRICS, *voicebench.METRICS), voicebench.PRESETS, ifeval.read_instruction)
