"""What the service counts, for Prometheus, and the line that each request leaves in the log."""

import logging
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from pg2.web.around import Answered
from pg2.web.logs import log

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The counters of one service, with a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "pg2_requests", "Requests answered", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "pg2_request_seconds",
            "From arrival to answer",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rejected = Counter(
            "pg2_rejected", "Requests answered with an error, by its code", ["code"], registry=self.registry
        )
        self.inside = Gauge(
            "pg2_requests_inside", "Requests taken in, not answered yet", registry=self.registry
        )
        self.held = Gauge(
            "pg2_held_bytes", "Of the bodies and answers of all requests", registry=self.registry
        )
        self.photos = Gauge(
            "pg2_kept_photos", "Photos kept for clients who go on with them", registry=self.registry
        )
        self.kept = Gauge("pg2_kept_bytes", "Of these photos", registry=self.registry)
        self.queue = Gauge(
            "pg2_queue_length", "Requests that wait for a run of the model", ["model"], registry=self.registry
        )
        self.batch = Histogram(
            "pg2_batch_size", "Requests in one run", ["model"], buckets=_SIZES, registry=self.registry
        )

    def count(self, request: Answered) -> None:
        """Count and log one request."""
        self.requests.labels(request.route, request.method, request.status).inc()
        self.seconds.labels(request.route).observe(request.seconds)
        code: dict[str, Any] = {}
        if request.code is not None:
            self.rejected.labels(request.code).inc()
            code = {"code": request.code}
        log(
            logging.INFO,
            "request",
            request_id=request.request_id,
            method=request.method,
            route=request.route,
            status=request.status,
            milliseconds=round(request.seconds * 1000, 1),
            client=request.client,
            **code,
        )
