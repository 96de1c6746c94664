"""The OCI and Distribution standards: references, manifests, archives, the API. Knows no engine."""
