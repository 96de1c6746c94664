"""What a registry stores, read past its HTTP API: the links of all tags with the time of their push, and small blobs.

The layout is that of Distribution's filesystem driver: `registry/storage/paths.go` of Distribution 2.8.3. The registry
writes its links in place: an empty one is being written, or was when the registry was killed; only HTTP tells which.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from localreg.engines.port import ContainerRuntime
from localreg.engines.values import HostPathMount, VolumeMount
from localreg.errors import EngineError, reason_of
from localreg.registry.container import DATA_FOLDER, Registry

_ROOT = "docker/registry/v2"
_LARGEST = 4 << 20
"""Bytes of the largest blob that is read. No manifest is larger, and configs are small."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LINK = re.compile(
    r"(?P<repository>.+)/_manifests/(?:tags/(?P<tag>[^/]+)/current|revisions/sha256/(?P<digest>[0-9a-f]{64}))/link"
)
_BATCH = 5000
"""Blobs that one command reads. Their paths are arguments, of which Linux allows 2 MB."""

# No part of a repository's name begins with `_`. What vanishes meanwhile makes `find` fail, which is no error here.
# A line of output is `TIME PATH`, `PATH:CONTENT` or `PATH`.
_READ_LINKS = r"""
cd "$1/repositories" 2>/dev/null || exit 0
shift
find -L "$@" '(' -path '*/_layers' -o -path '*/_uploads' -o -path '*/_manifests/tags/*/index' ')' -prune \
    -o -path '*/_manifests/tags/*/current/link' -type f -exec stat -c '%Y %n' {} + \
        -exec sh -c 'for file; do content=; read -r content <"$file"; echo "$file:$content"; done' sh {} + \
    -o -path '*/_manifests/revisions/sha256/*/link' -type f -exec sh -c 'for file; do echo "$file"; done' sh {} +
exit 0
"""
_READ_BLOBS = f"""
cd "$1/blobs" 2>/dev/null || exit 0
shift
find "$@" -type f -size -{_LARGEST + 1}c -exec stat -c '%s %n' {{}} +
echo
find "$@" -type f -size -{_LARGEST + 1}c -exec cat {{}} +
exit 0
"""


@dataclass(frozen=True, slots=True)
class TagLink:
    """A tag as the registry stores it."""

    repository: str
    tag: str
    digest: str | None
    """Of its manifest; None if the link is empty."""
    pushed: datetime | None
    """Aware, in whole seconds; the time of the last push to this tag. None beyond the year 9999."""


@dataclass(frozen=True)
class Links:
    """What repositories have."""

    tags: tuple[TagLink, ...]
    """In no order; also tags that the registry cannot read."""
    revisions: frozenset[tuple[str, str]]
    """Each repository and the digest of a manifest that it has, tagged or not."""

    @cached_property
    def by_tag(self) -> dict[tuple[str, str], TagLink]:
        """The tags by repository and tag."""
        return {(link.repository, link.tag): link for link in self.tags}


class Volume(Protocol):
    """The stored data of a registry."""

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories; by default of all.

        Raises:
            EngineError: they cannot be read, or not all of them.
        """

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob, checked against its digest.

        Args:
            digests: Those that are not sha256, not there, or larger than 4 MiB, are left out.
        """


def open_volume(engine: ContainerRuntime, registry: Registry) -> Volume | None:
    """The stored data of a registry, read directly if this process may, else by a shell in its container.

    The registry may store its data elsewhere, such as in S3: compare a tag with what it answers.

    Returns:
        None if there is no way but HTTP.
    """
    container, there = registry.container, registry.root_directory
    here = _find_folder(engine, registry) if there == DATA_FOLDER else None
    if here is not None and (volume := FolderVolume(here)).is_readable:
        return volume
    return ExecVolume(partial(engine.run_in_container, container.id), there) if container.is_running else None


def _find_folder(engine: ContainerRuntime, registry: Registry) -> Path | None:
    """The folder with the registry's data, if it is on this machine."""
    if engine.info().remote:
        return None
    match registry.data:
        case HostPathMount(path=path):
            return Path(path)
        case VolumeMount(volume=name):
            found = engine.find_volume(name)
            return Path(found.path) if found and found.path else None
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """A file below `repositories`; a revision's has a path alone."""

    path: str
    time: int | None = None
    content: str = ""


class FolderVolume:
    """A registry's data in a folder that this process can read.

    Args:
        folder: The registry's root directory.
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder / _ROOT

    @property
    def is_readable(self) -> bool:
        """This process can read all of it."""
        return all(os.access(self._root / part, os.R_OK | os.X_OK) for part in ("repositories", "blobs"))

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories.

        Raises:
            EngineError: this process may not read all of them.
        """
        top = str(self._root / "repositories")
        within = [top] if repositories is None else [f"{top}/{name}/_manifests" for name in sorted(repositories)]
        try:
            return _links(_read(path, path[len(top) + 1 :]) for start in within for path in _iter_links(start))
        except OSError as exc:
            raise EngineError(f"cannot read the registry's volume: {reason_of(exc)}") from exc

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob."""
        for digest in filter(_DIGEST.fullmatch, digests):
            with contextlib.suppress(OSError), open(f"{self._root}/blobs/{_place(digest)}", "rb") as file:  # noqa: PTH123 -- as below
                if os.fstat(file.fileno()).st_size <= _LARGEST and _is_whole(digest, data := file.read()):
                    yield digest, data


def _iter_links(folder: str) -> Iterator[str]:
    """The paths of the links to manifests: those of tags, and those of revisions."""
    if folder.endswith("/_manifests"):
        yield from (f"{folder}/tags/{tag}/current/link" for tag in _names(f"{folder}/tags"))
        yield from (f"{folder}/revisions/sha256/{encoded}/link" for encoded in _names(f"{folder}/revisions/sha256"))
        return
    for name in _names(folder):
        if name == "_manifests" or not name.startswith("_"):
            yield from _iter_links(f"{folder}/{name}")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 -- a `Path` takes longer than the reading
    except (FileNotFoundError, NotADirectoryError):
        # It vanished meanwhile, or is a stray file.
        return []


def _read(path: str, name: str) -> _Found | None:
    # As the registry answers a name that is not UTF-8.
    name = os.fsencode(name).decode(errors="replace")
    if "/_manifests/revisions/" in name:
        return _Found(name) if os.path.exists(path) else None  # noqa: PTH110 -- as above
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        # What is not a file, such as a pipe, must not block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            content = os.read(descriptor, 128) if stat.S_ISREG(found.st_mode) else b""
        finally:
            os.close(descriptor)
        return _Found(name, int(found.st_mtime), content.decode("ascii", errors="replace"))
    return None


class ExecVolume:
    """A registry's data, read by a shell in its container.

    Args:
        run: Runs a command in the container.
        folder: The registry's root directory there.
    """

    def __init__(self, run: Callable[[Sequence[str]], Iterator[bytes]], folder: str) -> None:
        self._run = run
        self._root = f"{folder}/{_ROOT}"

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories.

        Raises:
            EngineError: the container has no shell.
        """
        within = ["."] if repositories is None else [f"./{name}/_manifests" for name in sorted(repositories)]
        found = b"".join(self._run(["sh", "-c", _READ_LINKS, "sh", self._root, *within])).decode(errors="replace")
        times: dict[str, int] = {}
        contents: dict[str, str] = {}
        for line in found.splitlines():
            time, _, path = line.rpartition(" ")
            if time.isdecimal():
                times[path] = int(time)
                continue
            path, _, content = line.partition(":")
            contents[path] = content
        return _links(
            _Found(path.removeprefix("./"), times.get(path), contents.get(path, "")) for path in times | contents
        )

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob.

        Raises:
            EngineError: the container has no shell.
        """
        places = [_place(digest) for digest in digests if _DIGEST.fullmatch(digest)]
        for start in range(0, len(places), _BATCH):
            command = ["sh", "-c", _READ_BLOBS, "sh", self._root, *places[start : start + _BATCH]]
            yield from _split(self._run(command))


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
        if _is_whole(digest, data):
            yield digest, data
    # To its end, so that a connection that broke is noticed.
    for _ in received:
        pass


def _place(digest: str) -> str:
    """The path of a blob below `blobs`."""
    encoded = digest.removeprefix("sha256:")
    return f"sha256/{encoded[:2]}/{encoded}/data"


def _is_whole(digest: str, data: bytes) -> bool:
    return f"sha256:{hashlib.sha256(data).hexdigest()}" == digest


def _links(found: Iterable[_Found | None]) -> Links:
    tags, revisions = [], set()
    for file in found:
        if file is None or (parts := _LINK.fullmatch(file.path)) is None:
            # A stray file.
            continue
        if parts["digest"]:
            revisions.add((parts["repository"], f"sha256:{parts['digest']}"))
        elif file.time is not None:
            digest = file.content if _DIGEST.fullmatch(file.content) else None
            tags.append(TagLink(parts["repository"], parts["tag"], digest, _moment(file.time)))
    return Links(tuple(tags), frozenset(revisions))


def _moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
