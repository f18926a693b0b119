"""What to ask: the YAML under `studies/`, checked and frozen. Inert: reading one touches no device."""
