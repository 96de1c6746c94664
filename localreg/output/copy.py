"""The result of `copy`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import LocalregError
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import counted, short_digest, size, with_short_digests
from localreg.places.copy import CopiedImage


def render(
    images: Sequence[CopiedImage],
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

    def table(width: int) -> str:
        rows = [
            (with_short_digests(f"{location}/{each.name}"), short_digest(each.name.digest), each.state.value)
            for each in images
        ]
        verb, send = ("Would copy", "send at most") if dry_run else ("Copied", "sent")
        listed = columns(("NAME", "DIGEST", "STATE"), rows, width=width)
        return f"{listed}\n\n{verb} {counted(len(images), 'name')} and {send} {size(sent)}"

    return Renderings(
        table=table,
        plain=lambda: "\n".join(f"{location}/{each.name}\t{each.name.digest}\t{each.state.value}" for each in images),
        quiet=lambda: "\n".join(f"{location}/{each.name}" for each in images),
        json=lambda: {
            "dry_run": dry_run,
            "sent": sent,
            "images": [
                {
                    "reference": f"{location}/{each.name}",
                    "repository": each.name.repository,
                    "tag": each.name.tag,
                    "digest": each.name.digest,
                    "state": each.state.value,
                }
                for each in images
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )
