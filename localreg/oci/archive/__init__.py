"""Image archives: docker-archives and OCI archives."""
