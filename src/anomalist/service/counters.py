"""What the service counts, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Counters"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Counters:
    """The metrics of one service.

    Attributes:
        registry: all of them, for ``/metrics``.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "anomalist_requests",
            "Requests to /score by status",
            ("status",),
            registry=self.registry,
        )
        self.images = Counter(
            "anomalist_images",
            "Images by result: normal, anomalous, scored (without verdict) or unreadable",
            ("result",),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "anomalist_request_seconds",
            "Seconds from the first byte of a request to /score to its answer",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "anomalist_batch_seconds",
            "Seconds to score a batch",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "anomalist_batch_images",
            "Images per batch",
            buckets=_IMAGES,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "anomalist_waiting_images",
            "Images accepted and not yet answered",
            registry=self.registry,
        )
        self.deaths = Gauge(
            "anomalist_decoder_deaths",
            "Decoding processes that died or were stopped",
            registry=self.registry,
        )
