"""Plain values of a run: records, Pareto front, figures as text, events, stopwatch, paths in the run folder."""
