"""Podman, through podman-py, and the service that localreg starts for it."""
