"""The result of `push`, `pull` and `build`: images that were moved."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import LocalregError
from localreg.images.transfer import Transferred
from localreg.output.streams import Renderings, error_as_json
from localreg.output.text import short_digest


def render(results: Sequence[Transferred], errors: Sequence[tuple[str, LocalregError]]) -> Renderings:
    """Lay out images that were moved: a line each, the reference with its digest.

    Args:
        results: The images that were moved.
        errors: Each name that failed, and its error.
    """
    return Renderings(
        table=lambda width: "\n".join(_line(result, width) for result in results),
        plain=lambda: "\n".join(result.pinned for result in results),
        quiet=lambda: "\n".join(result.reference for result in results),
        json=lambda: {
            "results": [
                {"source": result.source, "reference": result.reference, "digest": result.digest} for result in results
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def _line(result: Transferred, width: int) -> str:
    """The pinned reference; where it would be folded, the digest as short as `ls` shows it."""
    if result.digest is None or result.pinned == result.reference or len(result.pinned) <= width:
        return result.pinned
    digest = f"({short_digest(result.digest)})"
    return (
        f"{result.reference} {digest}"
        if len(result.reference) + len(digest) < width
        else f"{result.reference}\n  {digest}"
    )
