"""The `podman` program as a client of the registry."""
