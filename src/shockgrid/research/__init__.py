"""Fine-grained research: dense surfaces, exact worst losses, reverse stress, back-tests, pictures."""
