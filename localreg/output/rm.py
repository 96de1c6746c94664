"""The result of `rm`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.content.rm import Removal, Removed
from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.streams import Renderings, error_as_json
from localreg.output.text import counted, with_short_digests

_SHOWN = 20
"""Lines before a question."""


def render(
    results: Sequence[Removed],
    errors: Sequence[tuple[str, LocalregError]],
    *,
    engine: str,
    dry_run: bool = False,
) -> Renderings:
    """Lay out the tags and manifests that were removed.

    Args:
        results: The removed tags.
        errors: Each name that was not removed, and its error.
        engine: `docker` or `podman`.
        dry_run: Nothing was removed.
    """

    def places(result: Removed) -> list[str]:
        return [
            *(["registry"] if result.from_registry else []),
            *([engine] if result.from_engine else []),
        ]

    return Renderings(
        table=lambda width: "\n".join(
            block(_headline(result, places(result), dry_run=dry_run), width=width) for result in results
        ),
        plain=lambda: "\n".join(f"{place} {result.reference}" for result in results for place in places(result)),
        quiet=lambda: "\n".join(result.reference for result in results),
        json=lambda: {
            "dry_run": dry_run,
            "results": [
                {"source": result.source, "reference": result.reference, "removed_from": places(result)}
                for result in results
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def things(removals: Sequence[Removal]) -> list[str]:
    """What would go, a line each, at most a screenful."""
    found = [_short(str(thing)) for removal in removals for thing in removal.things]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more]


def question(removals: Sequence[Removal]) -> str:
    """Ask for consent."""
    tags = sum(len(removal.tags) or (removal.reference.tag is not None) for removal in removals)
    manifests = sum(removal.reference.tag is None for removal in removals)
    parts = [counted(number, noun) for number, noun in ((tags, "tag"), (manifests, "manifest")) if number]
    return f"Remove {' and '.join(parts)}?"


def _headline(result: Removed, places: Sequence[str], *, dry_run: bool) -> str:
    absent = "" if result.from_registry else "; the registry did not have it"
    verb = "Would remove" if dry_run else "Removed"
    return f"{verb} {_short(result.reference)} from {' and '.join(map(_spelled, places))}{absent}"


def _short(reference: str) -> str:
    """A reference with a short digest, which `rm` and `inspect` accept."""
    name, at, digest = reference.partition("@")
    return with_short_digests(f"{name}{at}{digest[: len('sha256:') + 12]}")


def _spelled(place: str) -> str:
    return "the registry" if place == "registry" else place.capitalize()
