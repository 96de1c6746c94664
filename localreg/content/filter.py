"""The filters of `ls`, as people type them: `kind=image`, `platform=linux/arm64`, `since=14d`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from localreg.content.listed import Filters, Fits, ListedImage
from localreg.errors import UsageError
from localreg.oci.artifact import KINDS
from localreg.system.command_line import Sentence
from localreg.system.moment import parse_moment

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})", re.ASCII)
_RELEASE = re.compile(r"\([^)]*\)")
"""The release of Windows in a platform."""


def read_filters(texts: Sequence[str], *, now: datetime | None = None) -> Filters:
    """Read filters.

    Args:
        texts: `KEY=VALUE` each.
        now: Aware; the time from which a duration counts back.

    Raises:
        UsageError: a key is unknown, or its value is not valid.
    """
    now = now or datetime.now(UTC)
    readers: dict[str, Callable[[str], Fits]] = {
        "kind": _by_kind,
        "platform": _by_platform,
        "digest": _by_digest,
        "since": lambda value: _since(parse_moment(value, now=now)),
        "until": lambda value: _until(parse_moment(value, now=now)),
    }
    found: dict[str, list[Fits]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key not in readers or not equals:
            *first, last = readers
            hint = Sentence(f"use KEY=VALUE with {', '.join(first)} or {last} as the key")
            raise UsageError(f"`{key}` is not a filter", hint=hint)
        found.setdefault(key, []).append(readers[key](value))
    return Filters(found)


def _by_kind(value: str) -> Fits:
    if "/" in value:
        return lambda row: row.artifact is not None and row.artifact.media_type == value
    wanted, known = _as_word(value), [_as_word(kind) for kind in KINDS]
    if wanted not in known:
        raise UsageError(
            f"`{value}` is not a kind", hint=Sentence(f"use a media type, or one of {', '.join(sorted(known))}")
        )
    return lambda row: wanted in _kinds_of(row)


def _kinds_of(row: ListedImage) -> list[str]:
    if row.artifact is None:
        return [] if row.error else ["image"]
    return [_as_word(kind) for kind in row.artifact.kind.split(", ")]


def _as_word(kind: str) -> str:
    return kind.lower().replace(" ", "-")


def _by_platform(value: str) -> Fits:
    wanted = value.lower().split("/")
    if not all(wanted):
        raise UsageError(f"`{value}` is not a platform", hint=Sentence("use one such as linux/arm64"))

    def fits(platform: str) -> bool:
        return _RELEASE.sub("", platform).lower().split("/")[: len(wanted)] == wanted

    return lambda row: any(map(fits, row.platforms))


def _by_digest(value: str) -> Fits:
    match = _DIGEST.fullmatch(value.lower())
    if match is None:
        raise UsageError(
            f"`{value}` is not a digest", hint=Sentence("use sha256: and its hex digits, of which 6 are enough")
        )
    start = f"sha256:{match.group(1)}"
    return lambda row: row.digest is not None and row.digest.startswith(start)


def _since(moment: datetime) -> Fits:
    return lambda row: row.pushed is not None and row.pushed >= moment


def _until(moment: datetime) -> Fits:
    return lambda row: row.pushed is not None and row.pushed <= moment
