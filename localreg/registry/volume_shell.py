"""A registry's data, read by a shell in its container."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import TypeVar

from localreg.oci.digest import is_whole
from localreg.registry.volume_layout import (
    BLOBS,
    DIGEST,
    REPOSITORIES,
    ROOT,
    Links,
    VolumeFile,
    data_of,
    read_link,
)
from localreg.registry.volume_scripts import (
    DISK_USAGE,
    FREE_SPACE,
    GIVE_WAY,
    LIST_BLOBS,
    LIST_FILES,
    LIST_REPOSITORIES,
    MAKE_FILE,
    MOVE_INTO,
    PUT_BACK,
    READ_BLOBS,
    READ_FILES,
    READ_LINKS,
    REMOVE,
)

_T = TypeVar("_T")

_BATCH = 5000
"""Paths that one command takes. They are arguments, of which Linux allows 2 MB."""
_BLOBS = 2500
"""Blobs that one command reads."""

_LINK = re.compile(
    r"(?:(?P<time>[0-9]+) )?\./(?P<repository>.+)/_manifests/"
    r"(?:revisions/sha256/(?P<revision>[0-9a-f]{64})/link|tags/(?P<tag>[^/]+)/current/link(?::(?P<content>.*))?)"
)


class ExecVolume:
    """A registry's data, read by a shell in its container.

    Args:
        run: Runs a command in the container.
        folder: The registry's root directory there.
        gives_way: The commands run with the lowest priority, so that the registry's clients notice little of them.
    """

    is_elsewhere = True

    def __init__(
        self, run: Callable[[Sequence[str]], Iterator[bytes]], folder: str, *, gives_way: bool = False
    ) -> None:
        self._run = run
        self._folder = folder
        self._prelude = GIVE_WAY if gives_way else ""

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories.

        Raises:
            EngineError: the container has no shell.
        """
        within = ["."] if repositories is None else [f"./{name}/_manifests" for name in sorted(repositories)]
        seconds: dict[tuple[str, str], int] = {}
        contents: dict[tuple[str, str], str] = {}
        revisions: set[tuple[str, str]] = set()
        for link in map(_LINK.fullmatch, _lines(self._sh(READ_LINKS, ROOT, *within))):
            if link is None:
                continue
            time, repository, revision, tag, content = link.groups()
            if revision:
                revisions.add((repository, f"sha256:{revision}"))
            elif time:
                seconds[repository, tag] = int(time)
            elif content is not None:
                contents[repository, tag] = content
        tags = (read_link(*name, contents.get(name, ""), moment) for name, moment in seconds.items())
        return Links(tuple(tags), frozenset(revisions))

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob.

        Raises:
            EngineError: the container has no shell.
        """
        start = len(f"{BLOBS}/")
        places = [data_of(digest)[start:] for digest in digests if DIGEST.fullmatch(digest)]
        batches = (self._sh(READ_BLOBS, BLOBS, *batch) for batch in _batches(places, _BLOBS))
        ahead = next(batches, None)
        while ahead is not None:
            # The container reads the next one while this one is used.
            received, ahead = ahead, next(batches, None)
            yield from _split(received)

    def list_repositories(self) -> list[str]:
        """Every repository that has or had content."""
        found = b"".join(self._sh(LIST_REPOSITORIES, REPOSITORIES)).decode(errors="replace")
        return sorted(line.removeprefix("./").removesuffix("/_layers") for line in found.splitlines())

    def list_blobs(self) -> set[str]:
        """The digests of all blobs that have a folder."""
        found = (f"sha256:{line.rpartition('/')[2]}" for line in _lines(self._sh(LIST_BLOBS, BLOBS)))
        return set(filter(DIGEST.fullmatch, found))

    def list_files(self, *paths: str, skip: Collection[str] = ()) -> Iterator[VolumeFile]:
        """The files in folders, and those named themselves."""
        for batch in _batches(paths):
            for line in _lines(self._sh(LIST_FILES, "", *skip, "--", *batch)):
                modified, _, rest = line.partition(" ")
                size, _, path = rest.partition(" ")
                yield VolumeFile(path, int(size), int(modified))

    def read_files(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The path and the content of small files."""
        for batch in _batches(list(paths)):
            data = b"".join(self._sh(READ_FILES, "", *batch))
            while data:
                head, _, data = data.partition(b"\n")
                size, _, path = head.decode().partition(" ")
                yield path, data[: int(size)]
                data = data[int(size) + 1 :]

    def disk_usage(self) -> int:
        """Bytes that the registry's data occupies on the disk, with its folders."""
        found = b"".join(self._sh(DISK_USAGE, "")).split()
        return int(found[0]) * 1024 if found else 0

    def free_space(self) -> int:
        """Bytes that are left on its disk for the registry."""
        return int(b"".join(self._sh(FREE_SPACE, "")).split()[-3]) * 1024

    def make_file(self, path: str) -> None:
        """Create an empty file, with its folder."""
        self._do(MAKE_FILE, path)

    def move_into(self, folders: Mapping[str, Collection[str]]) -> None:
        """Rename files and folders into folders."""
        moves = [(folder, path) for folder, paths in folders.items() for path in paths]
        for batch in _batches(moves):
            groups = [[folder, *(path for _, path in group)] for folder, group in groupby(batch, key=itemgetter(0))]
            self._do(MOVE_INTO, *chain.from_iterable([str(len(group)), *group] for group in groups))

    def put_back(self, files: Collection[tuple[str, str]]) -> None:
        """Rename files, and create their folders."""
        for batch in _batches(list(files), _BATCH // 2):
            self._do(PUT_BACK, *chain.from_iterable(batch))

    def remove(self, paths: Collection[str]) -> None:
        """Remove files and folders, then the folders around them that are empty."""
        for batch in _batches(list(paths)):
            self._do(REMOVE, *batch)

    def _do(self, script: str, *arguments: str) -> None:
        for _ in self._sh(script, "", *arguments):
            pass

    def _sh(self, script: str, folder: str, *arguments: str) -> Iterator[bytes]:
        """Run a script with a folder below the registry's root directory, and arguments."""
        return self._run(["sh", "-c", self._prelude + script, "sh", f"{self._folder}/{folder}", *arguments])


def _batches(items: Sequence[_T], size: int = _BATCH) -> Iterator[Sequence[_T]]:
    """Parts of a list that fit a command line."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _lines(received: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream."""
    rest = b""
    for data in received:
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")


def _split(received: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """The blobs of a response: a line with size and path for each, an empty line, then their bytes."""
    buffer = bytearray()
    while not (buffer.startswith(b"\n") or b"\n\n" in buffer):
        buffer += next(received, b"\n\n")
    head, _, rest = (b"", b"", buffer[1:]) if buffer.startswith(b"\n") else buffer.partition(b"\n\n")
    buffer = bytearray(rest)
    for line in head.splitlines():
        size, _, path = line.decode(errors="replace").partition(" ")
        while len(buffer) < int(size) and (data := next(received, b"")):
            buffer += data
        # If a blob vanished meanwhile, the bytes of the others have moved, and fail their check.
        data = bytes(buffer[: int(size)])
        del buffer[: int(size)]
        digest = f"sha256:{path.split('/')[-2]}"
        if is_whole(digest, data):
            yield digest, data
    # To its end, so that a connection that broke is noticed.
    for _ in received:
        pass
