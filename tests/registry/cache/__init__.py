"""The resolution cache: each module by itself, then with real registries, processes and a real Redis."""
