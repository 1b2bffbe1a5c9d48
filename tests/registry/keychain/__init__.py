"""The credential chain: each source by itself here; what comes of them on the wire in ../test_identities.py."""
