"""The result of `save`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import counted, short_digest, size, with_short_digests
from localreg.places.save import SavedImage

_FEW = 3
"""Commands for Podman that are shown."""


def render(
    images: Sequence[SavedImage],
    errors: Sequence[tuple[str, LocalregError]],
    *,
    file: Path,
    size: int,
    parts: bool = False,
    is_stream: bool = False,
) -> Renderings:
    """Lay out what was saved.

    Args:
        images: The images and other artifacts.
        errors: Each name that was not saved, and its error.
        file: The archive.
        size: Its bytes.
        parts: It is several files, whose names begin with this one.
        is_stream: It is a pipe or a device, which nothing reads again.
    """

    def table(width: int) -> str:
        rows = [
            (with_short_digests(str(each.name)), short_digest(each.name.digest), _size(each.size)) for each in images
        ]
        listed = columns(("NAME", "DIGEST", "SIZE"), rows, width=width, right=frozenset({"SIZE"}))
        saved = f"Saved {counted(len(images), 'name')} to {file}{'.*' if parts else ''}, {_size(size)}"
        return "\n".join(
            [listed, "", block(saved, [] if is_stream else _facts(images, file, parts=parts), width=width)]
        )

    return Renderings(
        table=table,
        plain=lambda: "\n".join(f"{each.name}\t{each.name.digest}\t{each.size}" for each in images),
        quiet=lambda: "\n".join(str(each.name) for each in images),
        json=lambda: {
            "file": str(file),
            "size": size,
            "parts": parts,
            "images": [
                {
                    "repository": each.name.repository,
                    "tag": each.name.tag,
                    "digest": each.name.digest,
                    "size": each.size,
                }
                for each in images
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def _facts(images: Sequence[SavedImage], file: Path, *, parts: bool) -> list[tuple[str, str]]:
    """How to read the archive."""
    if parts:
        first = shlex.quote(f"{file}.000")
        return [("load", f"`localreg load -i {first}`"), ("join", f"`cat {shlex.quote(str(file))}.* > FILE`")]
    facts = [("load", f"`localreg load -i {shlex.quote(str(file))}`")]
    commands = podman_commands(images, file)
    left = [f"and {len(commands) - _FEW} more"] if len(commands) > _FEW else []
    shown = [*(f"`{command}`" for command in commands[:_FEW]), *left]
    facts += [("podman" if not number else "", line) for number, line in enumerate(shown)]
    hidden = sum(each.is_image and each.has_docker_type for each in images)
    if hidden and len(images) > 1:
        has = "1 image has" if hidden == 1 else f"{hidden} images have"
        each = "it" if hidden == 1 else "each"
        facts.append(("", f"{has} Docker's manifest type; Podman 4 needs {each} in an archive of its own"))
    return facts


def podman_commands(images: Sequence[SavedImage], file: Path) -> list[str]:
    """The commands that load each image into Podman, whose `load` takes only an archive with one name."""
    if len(images) == 1:
        return [f"podman load -i {shlex.quote(str(file))}"] if images[0].is_image else []
    if ":" in str(file):
        # Podman takes the first colon for the end of the file's name.
        return []
    return [f"podman pull {shlex.quote(f'oci-archive:{file}:{each.name}')}" for each in images if each.is_image]


_size = size
