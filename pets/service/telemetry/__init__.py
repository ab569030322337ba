"""Telemetry: how often what happened: counters, Prometheus metrics and spans, each label of a closed list."""
