"""A whole run of a study, and the steps after its last trial: polishing, confirmation, export."""
