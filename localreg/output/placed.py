"""What a command put into a registry: the name of each image, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localreg.errors import LocalregError
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import short_digest, with_short_digests
from localreg.places.registry import Placed


def lay_out(
    images: Sequence[Placed],
    errors: Sequence[tuple[str, LocalregError]],
    *,
    location: str,
    summary: str,
    facts: Mapping[str, Any],
) -> Renderings:
    """Lay out images and other artifacts in a registry.

    Args:
        images: What is there.
        errors: Each name that is not, and its error.
        location: The registry's part of a reference.
        summary: A sentence below the table.
        facts: What JSON tells before the images.
    """

    def table(width: int) -> str:
        rows = [
            (with_short_digests(f"{location}/{each.name}"), short_digest(each.name.digest), each.state.value)
            for each in images
        ]
        return f"{columns(('NAME', 'DIGEST', 'STATE'), rows, width=width)}\n\n{summary}"

    return Renderings(
        table=table,
        plain=lambda: "\n".join(f"{location}/{each.name}\t{each.name.digest}\t{each.state.value}" for each in images),
        quiet=lambda: "\n".join(f"{location}/{each.name}" for each in images),
        json=lambda: {
            **facts,
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
