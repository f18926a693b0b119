"""A study under disturbances: processes are killed or stopped, the database goes away, the disk fills, the clock jumps.

To add a disturbance: a function in `disturbances.py` and its line in `DISTURBANCE_KINDS`.
"""
