"""The result of `push`, `pull` and `build`: images that were moved."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.errors import LocalregError
from localreg.images.transfer import Transferred
from localreg.output.streams import Renderings, error_as_json


def render(results: Sequence[Transferred], errors: Sequence[tuple[str, LocalregError]]) -> Renderings:
    """Lay out images that were moved: a line each, the reference with its digest.

    Args:
        results: The images that were moved.
        errors: Each name that failed, and its error.
    """

    def lines() -> str:
        return "\n".join(result.pinned for result in results)

    return Renderings(
        table=lambda _width: lines(),
        plain=lines,
        quiet=lambda: "\n".join(result.reference for result in results),
        json=lambda: {
            "results": [
                {"source": result.source, "reference": result.reference, "digest": result.digest} for result in results
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )
