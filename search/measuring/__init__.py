"""Latency of any network by the project's protocol, on this machine or on another one."""
