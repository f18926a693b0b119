"""Results of a study as HTML: the report, the comparison, and the additions to optuna-dashboard."""
