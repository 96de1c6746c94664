"""The result of `url`."""

from __future__ import annotations

from localreg.output.streams import Renderings


def render(url: str, location: str) -> Renderings:
    """Lay out where a registry is.

    Args:
        url: For HTTP clients.
        location: The registry's part of a reference.
    """
    return Renderings(
        table=lambda _width: url,
        plain=lambda: url,
        quiet=lambda: location,
        json=lambda: {"url": url, "location": location},
    )
