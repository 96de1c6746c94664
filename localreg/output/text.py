"""Numbers, times, paths and foreign text as people read them."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta

_KILO = 1000
_HUNDRED = 100
_TEN = 10
_SHORT_DIGEST = 12
_DIGEST = re.compile(r"\b(sha256[:-][0-9a-f]{12})[0-9a-f]{52}")
"""A digest in a sentence, or in the tag of what is about it."""


def size(count: float) -> str:
    """Bytes in decimal units with three digits at most: `41.2 MB`, `164 MB`, `512 B`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < _KILO - 0.5 or unit == "TB":
            break
        value /= _KILO
    if unit == "B" or value >= _HUNDRED - 0.05:
        return f"{value:.0f} {unit}"
    return f"{value:.1f} {unit}" if value >= _TEN - 0.005 else f"{value:.2f} {unit}"


def counted(count: int, noun: str) -> str:
    """A number of things: `1 tag`, `3 tags`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def short_digest(digest: str) -> str:
    """The first 12 hex digits, enough to tell digests apart."""
    return digest.partition(":")[2][:_SHORT_DIGEST]


def with_short_digests(text: str) -> str:
    """Foreign text in which digests are short, such as the tag of a signature: `sha256-3e23e8160039….sig`."""
    return printable(_DIGEST.sub(r"\1…", text))


def home_shortened(text: str) -> str:
    """Text with `~` instead of the home folder at the start of a word."""
    home = os.environ.get("HOME", "").rstrip("/")
    return re.sub(rf"(?<!\S){re.escape(home)}/", "~/", text) if home else text


def printable(text: str) -> str:
    """Foreign text on one line, without control characters; a TAB becomes a space."""
    if text.isprintable():
        return text
    text = text.replace("\t", " ")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def shortened(text: str, length: int) -> str:
    """Text with an ellipsis instead of its end, if it is longer than some characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


_UNITS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(weeks=1), "week"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def duration(span: timedelta) -> str:
    """In the largest unit that fits: `2 hours`, `1 day`, `a few seconds`."""
    for unit, word in _UNITS:
        count = span // unit
        if count:
            return counted(count, word)
    return "a few seconds"


def ago(moment: datetime | None, *, now: datetime) -> str:
    """How long ago a moment was; empty if it is not known.

    Args:
        moment: Aware; one in the future counts as now, because clocks differ.
        now: Aware.
    """
    return "" if moment is None else f"{duration(max(now - moment, timedelta()))} ago"
