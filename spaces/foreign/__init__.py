"""Files of other origin, read as plain values: JSON and YAML. What cannot be read becomes one line that says why."""
