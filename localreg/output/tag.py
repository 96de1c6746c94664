"""The result of `tag`."""

from __future__ import annotations

from localreg.output.block import block
from localreg.output.streams import Renderings


def render(source: str, reference: str) -> Renderings:
    """Lay out an image's new name."""
    return Renderings(
        table=lambda width: block(f"{source} -> {reference}", width=width),
        plain=lambda: reference,
        json=lambda: {"source": source, "reference": reference},
    )
