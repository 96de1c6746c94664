"""A file to put into a container."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A file of root's in a container."""

    data: bytes = field(repr=False)
    """Can be a secret, so it is not in the `repr`."""
    mode: int = 0o644
