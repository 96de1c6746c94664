"""The result of `du`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from localreg.content.du import Row, Storage, Usage
from localreg.errors import LocalregError
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import BAR_PARTS, columns
from localreg.output.text import printable, size, with_short_digests

_SIZES = ("TOTAL", "UNIQUE", "SHARED")
_GAP = 3
_LONGEST_BAR = 24
_SHORTEST_BAR = 8
_LEGEND = f"{BAR_PARTS[0]} unique {BAR_PARTS[1]} shared"


def render(
    usage: Usage,
    errors: Sequence[tuple[str, LocalregError]] = (),
    *,
    location: str,
    command: str = "localreg",
    chosen: bool = False,
    whole: bool = False,
) -> Renderings:
    """Lay out the bytes that a registry stores.

    Args:
        usage: The rows and the volume.
        errors: Each name that was not found, and its error.
        location: The registry's part of a reference.
        command: The start of a command for this registry.
        chosen: Patterns were given: the rest of the volume is not shown on a terminal.
        whole: Show exact bytes on a terminal.
    """

    def table(width: int) -> str:
        if not usage.rows and chosen:
            return f"Nothing in the registry at {location} matches"
        storage = None if chosen else usage.storage
        if not usage.rows and storage is None:
            return f"The registry at {location} is empty"
        ledger = _ledger(usage, storage, width=width, whole=whole, command=command)
        return "\n\n".join([_table(usage, width=width, whole=whole), ledger] if usage.rows else [ledger])

    return Renderings(
        table=table,
        plain=lambda: "\n".join(
            "\t".join([*_names(row), str(row.total), str(row.unique), str(row.shared)]) for row in usage.rows
        ),
        quiet=lambda: "\n".join(f"{location}/{':'.join(_names(row))}" for row in usage.rows),
        json=lambda: {
            "registry": location,
            "rows": [
                {
                    "repository": row.repository,
                    "tag": row.tag,
                    "total": row.total,
                    "unique": row.unique,
                    "shared": row.shared,
                }
                for row in usage.rows
            ],
            "sum": {"unique": usage.unique, "shared": usage.shared, "total": usage.total},
            "unreadable_tags": usage.unreadable,
            "storage": usage.storage and {**asdict(usage.storage), "overhead": usage.storage.overhead},
            "storage_unknown": usage.unknown,
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def _names(row: Row) -> list[str]:
    return [printable(name) for name in (row.repository, row.tag) if name is not None]


def _bytes(count: int, *, whole: bool) -> str:
    return f"{count:,}" if whole else size(count)


def _table(usage: Usage, *, width: int, whole: bool) -> str:
    headings = ["REPOSITORY", *(["TAG"] if usage.by_tag else []), *_SIZES]
    cells = [
        [
            *map(with_short_digests, _names(row)),
            *(_bytes(count, whole=whole) for count in (row.total, row.unique, row.shared)),
        ]
        for row in usage.rows
    ]
    used = sum(max(map(len, column)) + _GAP for column in zip(headings, *cells, strict=True))
    length = min(width - used, _LONGEST_BAR)
    if length >= _SHORTEST_BAR:
        largest = max(row.total for row in usage.rows)
        headings.append(_LEGEND if length >= len(_LEGEND) else "")
        cells = [[*row, _bar(found, largest, length)] for row, found in zip(cells, usage.rows, strict=True)]
    # A long name is folded: without these numbers, the table says nothing.
    return columns(headings, cells, width=width, right=frozenset(_SIZES))


def _bar(row: Row, largest: int, length: int) -> str:
    """A row's part of the largest one: bytes that it keeps alone, then those that it shares."""
    if not row.total:
        return ""
    filled = max(round(row.total / largest * length), 1)
    unique = round(row.unique / row.total * filled)
    return BAR_PARTS[0] * unique + BAR_PARTS[1] * (filled - unique)


@dataclass(frozen=True, slots=True)
class _Line:
    sign: str
    count: int
    """Bytes."""
    name: str
    about: str = ""


def _ledger(usage: Usage, storage: Storage | None, *, width: int, whole: bool, command: str) -> str:
    """The sums, so that a reader can add them up."""
    lines = [*_sums(usage), *(_parts(storage, command) if storage else ())]
    numbers = [_bytes(line.count, whole=whole) for line in lines]
    digits, letters = max(map(len, numbers)), max(len(line.name) for line in lines)
    found = []
    for line, number in zip(lines, numbers, strict=True):
        short = f"{line.sign} {number:>{digits}}  {line.name}"
        start = f"{short}{'':{letters - len(line.name)}}  "
        longer = (f"{start}{about}" for about in (line.about, line.about.partition(";")[0]) if about)
        found.append(next((text for text in longer if len(text) <= width), short))
    return "\n".join(found)


def _sums(usage: Usage) -> Iterator[_Line]:
    yield _Line(" ", usage.unique, f"kept by one {'tag' if usage.by_tag else 'repository'} alone")
    yield _Line("+", usage.shared, "shared, counted once")
    yield _Line("=", usage.total, "content of tags")


def _parts(storage: Storage, command: str) -> Iterator[_Line]:
    """The lines from the content of tags to the disk usage, without those of which there is nothing."""
    frees = f"; `{command} gc` frees "
    parts = (
        (storage.untagged, "without a tag", "manifest", frees),
        (storage.unreferenced, "unreferenced", "blob", frees),
        (storage.quarantine, "in quarantine", "blob", "; a later `gc` deletes "),
        (storage.uploads, "unfinished", "upload", ""),
    )
    for part, name, thing, fate in parts:
        if part.count:
            it, plural = ("it", "") if part.count == 1 else ("them", "s")
            yield _Line("+", part.size, name, f"{part.count:,} {thing}{plural}{fate and fate + it}")
    if storage.overhead < 0:
        yield _Line("-", -storage.overhead, "saved by the file system", "it compresses, or leaves out zeros")
    else:
        yield _Line("+", storage.overhead, "links, folders, full blocks")
    yield _Line("=", storage.disk, "on the disk")
