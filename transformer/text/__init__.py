"""YAML and JSON as text: documents, spans of scalars, edits. Knows nothing of Kubernetes or images."""
