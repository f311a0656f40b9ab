"""Registers the metrics and presets of named benchmarks: IFEval and VoiceBench."""

from __future__ import annotations

from omnigap_orchestrator.extension import Extra, Metrics


class NamedBenchmarks(Extra):
    """The metrics of IFEval and VoiceBench."""

    name = "named_benchmarks"

    def metrics(self) -> Metrics:
        from omnigap_orchestrator.extras.named_benchmarks import ifeval, voicebench

        return Metrics((*ifeval.METRICS, *voicebench.METRICS), voicebench.PRESETS, ifeval.read_instruction)
