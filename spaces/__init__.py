"""What can be built: parameters -> ArchSpec -> Candidate. Imports nothing from the layers above."""
