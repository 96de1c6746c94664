"""The result of `gc`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from localreg.content.collected import Collected, Waste
from localreg.content.uploads import Upload
from localreg.output.block import block
from localreg.output.registry import time_json
from localreg.output.streams import Renderings
from localreg.output.text import counted, duration, printable, size


def render(found: Collected, *, dry_run: bool, next_one: str, undo: str) -> Renderings:
    """Lay out a collection.

    Args:
        found: Its outcome.
        dry_run: Nothing was changed.
        next_one: The command for the next collection of the same kind, such as `localreg gc`.
        undo: The command that puts everything back.
    """
    waste = found.waste

    def table(width: int) -> str:
        return block(_headline(found, dry_run=dry_run), _facts(found, next_one, undo), width=width)

    return Renderings(
        table=table,
        plain=lambda: "\n".join(
            [
                *(f"manifest\t{printable(name)}@{digest}" for name, digest in sorted(waste.manifests)),
                *(f"repository\t{printable(name)}" for name in sorted(waste.repositories)),
                *(f"blob\t{digest}\t{count}" for digest, count in sorted(waste.blobs.items())),
                *(f"upload\t{printable(upload.repository)}\t{upload.size}" for upload in found.uploads.old),
            ]
        ),
        quiet=lambda: "\n".join(sorted(waste.blobs)),
        json=lambda: _json(found, dry_run=dry_run),
    )


def render_undo(files: int, count: int) -> Renderings:
    """Lay out what `gc --undo` put back.

    Args:
        files: Blobs, and links of manifests: without their blobs, these have no bytes.
        count: Bytes of the blobs.
    """
    done = f"Put back {counted(files, 'file')} ({size(count)})" if files else "The quarantine is empty"
    return Renderings(
        table=lambda width: block(done, width=width),
        plain=lambda: f"put back\t{count}",
        json=lambda: _json(Collected(Waste()), undone=count),
    )


def rest_of(found: Collected) -> str:
    """The blobs that go, for a sentence."""
    return f"{counted(len(found.waste.blobs), 'blob')} ({size(found.waste.size)})"


def _json(found: Collected, *, dry_run: bool = False, undone: int = 0) -> dict[str, Any]:
    waste = found.waste
    return {
        "dry_run": dry_run,
        "manifests": [{"repository": name, "digest": digest} for name, digest in sorted(waste.manifests)],
        "repositories": sorted(waste.repositories),
        "blobs": [{"digest": digest, "size": count} for digest, count in sorted(waste.blobs.items())],
        "uploads": _uploads_json(found.uploads.old),
        "recent_uploads": _uploads_json(found.uploads.recent),
        "size": waste.size,
        "left_alone": waste.left,
        "put_back": found.put_back,
        "undone": undone,
        "freed": found.freed,
        "stops": found.stops,
        "outage": round(found.outage, 3),
        "quarantine": {"size": found.waiting, "deletable_at": time_json(found.deletable_at)},
    }


def _uploads_json(uploads: Iterable[Upload]) -> list[dict[str, Any]]:
    return [{"repository": upload.repository, "size": upload.size} for upload in uploads]


def _headline(found: Collected, *, dry_run: bool) -> str:
    freed = f"; {'would free' if dry_run else 'freed'} {size(found.freed)}" if found.freed else ""
    what = _collected(found)
    if not what:
        return f"Nothing to collect{freed}"
    return f"{'Would collect' if dry_run else 'Collected'} {what}{freed}"


def _collected(found: Collected) -> str:
    """The first that there is of blobs, manifests whose blobs stay, and the rest; empty without any."""
    waste = found.waste
    if waste.blobs:
        return rest_of(found)
    if waste.manifests:
        return f"{counted(len(waste.manifests), 'manifest')} without a tag"
    if waste.repositories:
        return f"{len(waste.repositories)} empty {'repository' if len(waste.repositories) == 1 else 'repositories'}"
    return counted(len(found.uploads.old), "upload") if found.uploads.old else ""


def _facts(found: Collected, next_one: str, undo: str) -> list[tuple[str, str]]:
    waste, uploads = found.waste, found.uploads
    left = []
    if waste.left:
        left.append(f"{counted(waste.left, 'blob')} that a push of the last 10 minutes may need")
    if uploads.recent:
        left.append(f"{counted(len(uploads.recent), 'abandoned upload')} that changed recently")
    busy = ", for a minute: another gc is at work or was interrupted" if found.is_busy else ""
    facts = [
        ("untagged", counted(len(waste.manifests), "manifest") if waste.manifests else ""),
        ("emptied", ", ".join(map(printable, sorted(waste.repositories)))),
        ("uploads", f"{len(uploads.old)} abandoned ({size(uploads.size)})" if uploads.old else ""),
        ("stops", "the registry, for a moment: it has a cache" if found.stops and not found.outage else ""),
        ("left alone", "; ".join(left)),
        ("put back", f"{counted(found.put_back, 'file')} that a push needed meanwhile" if found.put_back else ""),
        ("outage", f"{found.outage:.1f} s: the registry was stopped meanwhile" if found.outage else ""),
        ("quarantine", f"{size(found.waiting)}{busy}" if found.waiting else ""),
    ]
    if found.deletable_at:
        wait = max(found.deletable_at - datetime.now(UTC), timedelta())
        facts += [
            ("delete", f"{next_one}, in {duration(wait)}" if wait else ""),
            ("delete now", f"{next_one} --grace 0"),
            ("undo", undo),
        ]
    return [(name, text) for name, text in facts if text]
