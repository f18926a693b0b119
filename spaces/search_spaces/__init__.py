"""What a sampler may choose from: parameters -> ArchSpec -> Candidate."""
