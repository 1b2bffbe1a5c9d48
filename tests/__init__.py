"""The tests: one directory for each room of `transformer/`, the modules mirrored."""
