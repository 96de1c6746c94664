"""The result of `load`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.placed import lay_out
from localreg.output.streams import Renderings, error_as_json
from localreg.output.text import counted, size
from localreg.places.port import Content
from localreg.places.registry import Placed


def render(
    images: Sequence[Placed], errors: Sequence[tuple[str, LocalregError]], *, location: str, sent: int
) -> Renderings:
    """Lay out what was loaded.

    Args:
        images: The images and other artifacts.
        errors: Each name that was not loaded, and its error.
        location: The registry's part of a reference.
        sent: Bytes of the blobs that the registry lacked.
    """
    summary = f"Loaded {counted(len(images), 'name')} and sent {size(sent)}"
    return lay_out(images, errors, location=location, summary=summary, facts={"sent": sent})


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
