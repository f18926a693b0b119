"""A run from start to report, and what follows its last trial: finalists measured again, trained longer, exported."""
