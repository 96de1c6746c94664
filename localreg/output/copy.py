"""The result of `copy`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import LocalregError
from localreg.output.placed import lay_out
from localreg.output.streams import Renderings
from localreg.output.text import counted, size
from localreg.places.registry import Placed


def render(
    images: Sequence[Placed],
    errors: Sequence[tuple[str, LocalregError]],
    *,
    location: str,
    sent: int,
    dry_run: bool = False,
) -> Renderings:
    """Lay out what was copied.

    Args:
        images: The images and other artifacts at the destination.
        errors: Each name that was not copied, and its error.
        location: The destination's part of a reference.
        sent: Bytes of the blobs that the destination lacked.
        dry_run: Nothing was copied.
    """
    verb, send = ("Would copy", "send at most") if dry_run else ("Copied", "sent")
    summary = f"{verb} {counted(len(images), 'name')} and {send} {size(sent)}"
    return lay_out(images, errors, location=location, summary=summary, facts={"dry_run": dry_run, "sent": sent})
