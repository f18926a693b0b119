"""Definition of a study: the YAML under `studies/`, checked and frozen. Reading it touches no device."""
