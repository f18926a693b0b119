"""Latency of any network by the project's protocol, here or on another machine."""
