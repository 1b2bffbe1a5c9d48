"""Image references, digests and platforms as values: grammar first, no I/O."""
