"""The registry room: against servers that misbehave as told (faults.py), and against real ones."""
