"""Why a registry takes no pushes."""

from __future__ import annotations

from enum import StrEnum


class PushRefusal(StrEnum):
    """Why a registry takes no pushes."""

    CACHE = "cache"
    """It is a pull-through cache of another registry."""
    READ_ONLY = "read-only"
