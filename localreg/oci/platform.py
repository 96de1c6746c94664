"""Platforms as a person types them: `linux/arm64`, `linux/arm/v7`, `windows(10.0.20348.1006)/amd64`."""

from __future__ import annotations

import re

from localreg.errors import UsageError
from localreg.oci.manifest import Platform
from localreg.system.command_line import Sentence

_TYPED = re.compile(
    r"(?P<os>[a-z0-9]+)(?:\((?P<version>[^()/]+)\))?/(?P<architecture>[a-z0-9_-]+)(?:/(?P<variant>[a-z0-9.]+))?"
)
_SAME = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "aarch64": "arm64",
    "armhf": "arm/v7",
    "armel": "arm/v6",
}
"""The names that systems have for an architecture, and those that images have, with the variant that they mean."""


def parse_platform(text: str) -> Platform:
    """Read a platform.

    Raises:
        UsageError: it is not valid.
    """
    found = _TYPED.fullmatch(text.lower())
    if found is None:
        raise UsageError(f"`{text}` is not a valid platform", hint=Sentence("use OS/ARCHITECTURE, such as linux/arm64"))
    architecture, _, variant = _SAME.get(found["architecture"], found["architecture"]).partition("/")
    return Platform(found["os"], architecture, found["variant"] or variant or None, found["version"])


def fits(platform: Platform, wanted: Platform) -> bool:
    """It is the wanted one; a variant and a version of the system count only if they are wanted."""
    return (
        (platform.os, platform.architecture) == (wanted.os, wanted.architecture)
        and wanted.variant in (None, platform.variant, _usual_variant(platform))
        and wanted.os_version in (None, platform.os_version)
    )


def _usual_variant(platform: Platform) -> str | None:
    """The variant of an image that names none."""
    return {"arm64": "v8", "arm": "v7"}.get(platform.architecture) if platform.variant is None else None
