"""The result of `ls`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from localreg.content.listed import ListedImage, Listing
from localreg.errors import LocalregError
from localreg.output.registry import time_json
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import ago, printable, short_digest, size, with_short_digests

_NO_TAG = "<none>"
"""As engines show it."""


def render(
    listing: Listing,
    errors: Sequence[tuple[str, LocalregError]] = (),
    *,
    location: str,
    chosen: bool = False,
    untagged: bool = False,
    full_digests: bool = False,
) -> Renderings:
    """Lay out the content of a registry.

    Args:
        listing: The tags that were found.
        errors: Each name that was not found, and its error.
        location: The registry's part of a reference.
        chosen: Patterns or filters were given.
        untagged: The listing is of manifests without a tag.
        full_digests: Do not shorten digests in the table, nor those in tags.
    """
    rows = listing.rows
    knows_pushes = any(row.pushed for row in rows)

    def table(width: int) -> str:
        if not rows:
            return _nothing(location, chosen=chosen, untagged=untagged)
        now = datetime.now(UTC)
        cells = [
            (
                printable(row.repository),
                _NO_TAG if row.tag is None else printable(row.tag) if full_digests else with_short_digests(row.tag),
                "" if row.digest is None else row.digest if full_digests else short_digest(row.digest),
                printable(row.error or str(row.artifact or _platforms(row.platforms))),
                "" if row.size is None else size(row.size),
                ago(row.created, now=now),
                *([ago(row.pushed, now=now)] if knows_pushes else []),
            )
            for row in rows
        ]
        headings = [
            "REPOSITORY",
            "TAG",
            "DIGEST",
            "PLATFORMS",
            "SIZE",
            "CREATED",
            *(["PUSHED"] if knows_pushes else []),
        ]
        # An error takes the place of the platforms, and must stay visible.
        kept = {"DIGEST": full_digests, "PLATFORMS": any(row.error for row in rows)}
        order = ("CREATED", "DIGEST", "PLATFORMS", "PUSHED") if knows_pushes else ("DIGEST", "CREATED", "PLATFORMS")
        spare = [heading for heading in order if not kept.get(heading)]
        whole = frozenset({"DIGEST"} if full_digests else ())
        return columns(headings, cells, width=width, right=frozenset({"SIZE"}), spare=spare, whole=whole)

    return Renderings(
        table=table,
        plain=lambda: "\n".join("\t".join(_plain(row)) for row in rows),
        quiet=lambda: "\n".join(printable(f"{location}/{row.name}") for row in rows),
        json=lambda: {
            "registry": location,
            "images": [
                {
                    "repository": row.repository,
                    "tag": row.tag,
                    "reference": f"{location}/{row.name}",
                    "digest": row.digest,
                    "media_type": row.media_type,
                    "kind": row.artifact.kind if row.artifact else None if row.error else "image",
                    "artifact_type": row.artifact.media_type if row.artifact else None,
                    "platforms": list(row.platforms),
                    "size": row.size,
                    "created": time_json(row.created),
                    "pushed": time_json(row.pushed),
                    "error": row.error,
                }
                for row in rows
            ],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def _nothing(location: str, *, chosen: bool, untagged: bool) -> str:
    if chosen:
        return f"Nothing in the registry at {location} matches"
    return f"The registry at {location} {'has no manifests without a tag' if untagged else 'is empty'}"


def _plain(row: ListedImage) -> tuple[str, ...]:
    return (
        printable(row.repository),
        printable(row.tag or ""),
        row.digest or "",
        printable(row.error or str(row.artifact or ",".join(row.platforms))),
        "" if row.size is None else str(row.size),
        time_json(row.created) or "",
        time_json(row.pushed) or "",
    )


def _platforms(platforms: tuple[str, ...]) -> str:
    """Platforms on one line, each operating system once: `linux/amd64,arm64`."""
    by_system: dict[str, list[str]] = {}
    for platform in platforms:
        system, _, architecture = platform.partition("/")
        by_system.setdefault(system, []).append(architecture)
    return " ".join(f"{system}/{','.join(found)}" for system, found in by_system.items())
