"""pindown: makes every container image in a set of Kubernetes manifests immutable and pullable.

The rooms are described in docs/architecture.md; imports go down only, and a test holds them to it.
"""

__version__ = "0.1.0"
