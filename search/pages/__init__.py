"""What a study found, as HTML: the report, the comparison, and what is added to optuna-dashboard."""
