"""Renders figures in Prometheus' form; each scrape reads them anew from the database."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge

from worklist.health import Figure


def registry_of(found: Iterable[Figure]) -> CollectorRegistry:
    """Put figures in a registry of their own."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for one in found:
        if one.name not in gauges:
            gauges[one.name] = Gauge(one.name, one.help, sorted(one.labels), registry=registry)
        gauge = gauges[one.name]
        (gauge.labels(**one.labels) if one.labels else gauge).set(one.value)
    return registry
