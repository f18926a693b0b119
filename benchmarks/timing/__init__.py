"""The benchmark of latency: spread, order, intervals, cost, prediction and contention of our figures and of baselines.

To add a baseline: a function from `MeasuredNetwork` to ms and a line in `BASELINES` of `baselines.py`.
"""
