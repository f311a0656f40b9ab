"""Prometheus metrics of one server, with its own registry."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb

# From the null model's milliseconds to minutes of speech synthesis.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
# From a large model on a CPU to a small one on a GPU.
_TOKENS_PER_SECOND = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters and histograms under the names that other inference servers use, prefixed with `omnigap_`."""

    def __init__(self) -> None:
        # Not the global registry: a process, such as the tests', may run several servers.
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "omnigap_requests",
            "Generate calls that were not joined or replayed, by condition, outcome and reason of failure.",
            ("condition", "outcome", "reason"),
            registry=self.registry,
        )
        self._replayed = Counter(
            "omnigap_replayed", "Generate calls that joined or replayed an answer.", registry=self.registry
        )
        audio = Counter(
            "omnigap_audio_seconds", "Seconds of input and output audio.", ("direction",), registry=self.registry
        )
        self._audio_in, self._audio_out = audio.labels("in"), audio.labels("out")
        tokens = Counter(
            "omnigap_tokens",
            "Tokens of prompts and of answers, as the model counts them; 0 where it does not.",
            ("direction",),
            registry=self.registry,
        )
        self._tokens_in, self._tokens_out = tokens.labels("in"), tokens.labels("out")
        self._tokens_per_second = Histogram(
            "omnigap_answer_tokens_per_second",
            "Output tokens of an answer by its compute time; the answers of a batch are computed at the same time.",
            buckets=_TOKENS_PER_SECOND,
            registry=self.registry,
        )
        self._answered: dict[str, Counter] = {}
        self._queue = self._seconds("queue_seconds", "From admission to the start of the batch.")
        self._compute = self._seconds("compute_seconds", "From the start of the batch to the end of the answer.")
        self._ttft = self._seconds("ttft_seconds", "From admission to the first text.")
        self._audio_ttfp = self._seconds("audio_ttfp_seconds", "From admission to the first audio packet.")
        self._batch = Histogram(
            "omnigap_batch_size", "Requests in the batch of each answer.", buckets=_BATCHES, registry=self.registry
        )

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Adds a gauge whose value is read at each scrape."""
        Gauge(f"omnigap_{name}", text, registry=self.registry).set_function(read)

    def answered(self, condition: str, complete: pb.Complete) -> None:
        # `labels` takes a lock, which is most of the cost of a counter, so each child is looked up once.
        counter = self._answered.get(condition)
        if counter is None:
            counter = self._answered[condition] = self._requests.labels(condition, "answered", "")
        counter.inc()
        timings = complete.timings
        self._queue.observe(timings.queue_s)
        self._compute.observe(timings.compute_s)
        self._batch.observe(timings.batch_size)
        # 0 means that there was no text, or no audio.
        if timings.ttft_s:
            self._ttft.observe(timings.ttft_s)
        if timings.audio_ttfp_s:
            self._audio_ttfp.observe(timings.audio_ttfp_s)
        self._audio_in.inc(complete.usage.input_audio_seconds)
        self._audio_out.inc(complete.usage.output_audio_seconds)
        self._tokens_in.inc(complete.usage.input_tokens)
        self._tokens_out.inc(complete.usage.output_tokens)
        if complete.usage.output_tokens and timings.compute_s > 0:
            self._tokens_per_second.observe(complete.usage.output_tokens / timings.compute_s)

    def failed(self, condition: str, error: ContractError) -> None:
        self._requests.labels(condition, "failed", error.reason.value).inc()

    def refused(self, error: ContractError) -> None:
        self._requests.labels("", "refused", error.reason.value).inc()

    def replayed(self) -> None:
        self._replayed.inc()

    def _seconds(self, name: str, text: str) -> Histogram:
        return Histogram(f"omnigap_{name}", text, buckets=_SECONDS, registry=self.registry)
