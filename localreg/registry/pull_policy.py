"""When the registry's own image is pulled."""

from __future__ import annotations

from enum import StrEnum


class PullPolicy(StrEnum):
    """When the registry's own image is pulled."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"
