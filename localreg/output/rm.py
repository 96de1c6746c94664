"""The result of `rm`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.content.rm import Removed
from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.streams import Renderings, error_as_json


def render(results: Sequence[Removed], errors: Sequence[tuple[str, LocalregError]], *, engine: str) -> Renderings:
    """Lay out the tags that were removed.

    Args:
        results: The removed tags.
        errors: Each name that was not removed, and its error.
        engine: `docker` or `podman`.
    """

    def places(result: Removed) -> list[str]:
        return [
            *(["registry"] if result.from_registry else []),
            *([engine] if result.from_engine else []),
        ]

    return Renderings(
        table=lambda width: "\n".join(block(_headline(result, places(result)), width=width) for result in results),
        plain=lambda: "\n".join(f"{place} {result.reference}" for result in results for place in places(result)),
        quiet=lambda: "\n".join(result.reference for result in results),
        json=lambda: {
            "results": [
                {"source": result.source, "reference": result.reference, "removed_from": places(result)}
                for result in results
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def _headline(result: Removed, places: Sequence[str]) -> str:
    absent = "" if result.from_registry else "; the registry did not have it"
    return f"Removed {result.reference} from {' and '.join(map(_spelled, places))}{absent}"


def _spelled(place: str) -> str:
    return "the registry" if place == "registry" else place.capitalize()
