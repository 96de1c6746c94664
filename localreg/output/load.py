"""The result of `load`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import counted, short_digest, size, with_short_digests
from localreg.places.load import LoadedImage
from localreg.places.port import Content


def render(
    images: Sequence[LoadedImage], errors: Sequence[tuple[str, LocalregError]], *, location: str, sent: int
) -> Renderings:
    """Lay out what was loaded.

    Args:
        images: The images and other artifacts.
        errors: Each name that was not loaded, and its error.
        location: The registry's part of a reference.
        sent: Bytes of the blobs that the registry lacked.
    """

    def table(width: int) -> str:
        rows = [
            (with_short_digests(f"{location}/{each.name}"), short_digest(each.name.digest), each.state.value)
            for each in images
        ]
        listed = columns(("NAME", "DIGEST", "STATE"), rows, width=width)
        return f"{listed}\n\nLoaded {counted(len(images), 'name')} and sent {size(sent)}"

    return Renderings(
        table=table,
        plain=lambda: "\n".join(f"{location}/{each.name}\t{each.name.digest}\t{each.state.value}" for each in images),
        quiet=lambda: "\n".join(f"{location}/{each.name}" for each in images),
        json=lambda: {
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


def render_check(content: Content, errors: Sequence[tuple[str, LocalregError]], *, file: str) -> Renderings:
    """Lay out what an archive has, after all of it was checked.

    Args:
        content: The archive's content.
        errors: Each name that is not whole, and its error.
        file: The archive, as the user typed it.
    """
    whole = f"{file} is whole" if not errors else f"{file} is not whole"
    facts = [
        ("names", str(len(content.names))),
        ("manifests", str(len(content.manifests))),
        ("blobs", f"{len(content.blobs)}, {size(content.size)}"),
    ]
    return Renderings(
        table=lambda width: block(whole, facts, width=width),
        plain=lambda: "\n".join(f"{name}\t{name.digest}" for name in content.names),
        quiet=lambda: "\n".join(str(name) for name in content.names),
        json=lambda: {
            "whole": not errors,
            "size": content.size,
            "images": [
                {"repository": name.repository, "tag": name.tag, "digest": name.digest} for name in content.names
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )
