"""The default of each option. This imports nothing, because the help shows the defaults."""

from __future__ import annotations

DEFAULT_NAME = "registry"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5000
"""The next free port is used if it is taken."""
DEFAULT_IMAGE = "registry:2.8.3"
DEFAULT_WAIT_SECONDS: float = 30
"""How long `up` waits until the registry is ready."""


def default_volume(name: str) -> str:
    """The volume in which the registry of this name keeps its images."""
    return f"localreg-{name}"
