"""A registry's data in a folder that this process can read."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from localreg.errors import EngineError, reason_of
from localreg.registry.volume_layout import (
    DIGEST,
    LARGEST,
    REPOSITORIES,
    ROOT,
    Links,
    StoredFile,
    VolumeFile,
    is_whole,
    links_of,
    place_of,
)

_BLOCK = 512
"""Bytes of a block in `st_blocks`; see stat(2)."""

_VANISHED = (FileNotFoundError, NotADirectoryError)


class FolderVolume:
    """A registry's data in a folder that this process can read.

    Args:
        folder: The registry's root directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / ROOT

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
            return links_of(_read(path, path[len(top) + 1 :]) for start in within for path in _iter_links(start))
        except OSError as exc:
            raise EngineError(f"cannot read the registry's volume: {reason_of(exc)}") from exc

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob."""
        for digest in filter(DIGEST.fullmatch, digests):
            with contextlib.suppress(OSError), open(f"{self._root}/blobs/{place_of(digest)}", "rb") as file:  # noqa: PTH123 -- as below
                if os.fstat(file.fileno()).st_size <= LARGEST and is_whole(digest, data := file.read()):
                    yield digest, data

    def list_repositories(self) -> list[str]:
        """Every repository that has or had content."""
        with _reported("read"):
            return sorted(_iter_repositories(str(self._folder / REPOSITORIES), ""))

    def list_files(self, *paths: str, skip: Collection[str] = ()) -> Iterator[VolumeFile]:
        """The files in folders, and those named themselves."""
        start = len(f"{self._folder}/")
        with _reported("read"):
            for path in paths:
                for name, found in _iter_files(f"{self._folder}/{path}", frozenset(skip)):
                    if stat.S_ISREG(found.st_mode):
                        yield VolumeFile(name[start:], found.st_size, int(found.st_mtime))

    def read_files(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The path and the content of small files."""
        with _reported("read"):
            for path in paths:
                with contextlib.suppress(*_VANISHED):
                    yield path, (self._folder / path).read_bytes()

    def disk_usage(self) -> int:
        """Bytes that the registry's data occupies on the disk, with its folders."""
        with _reported("read"):
            # A file with two names occupies its bytes once.
            blocks = {(found.st_dev, found.st_ino): found.st_blocks for found in _iter_all(str(self._folder))}
            return sum(blocks.values()) * _BLOCK

    def make_file(self, path: str) -> None:
        """Create an empty file, with its folder."""
        with _reported("write"):
            self._make_folder(os.path.dirname(path))  # noqa: PTH120 -- as below
            (self._folder / path).touch()

    def move_into(self, folder: str, paths: Collection[str]) -> None:
        """Rename files and folders into a folder."""
        with _reported("write"):
            self._make_folder(folder)
            for path in paths:
                with contextlib.suppress(*_VANISHED):
                    os.rename(f"{self._folder}/{path}", f"{self._folder}/{folder}/{path.rpartition('/')[2]}")  # noqa: PTH104 -- as below

    def put_back(self, files: Collection[tuple[str, str]]) -> None:
        """Rename files, and create their folders."""
        with _reported("write"):
            for path, target in files:
                if (self._folder / path).exists():
                    self._make_folder(os.path.dirname(target))  # noqa: PTH120 -- as below
                    with contextlib.suppress(*_VANISHED):
                        os.rename(f"{self._folder}/{path}", f"{self._folder}/{target}")  # noqa: PTH104 -- as below

    def remove(self, paths: Collection[str]) -> None:
        """Remove files and folders, then the folders around them that are empty."""
        with _reported("write"):
            for path in map(self._folder.joinpath, paths):
                with contextlib.suppress(*_VANISHED):
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
            for path in map(self._folder.joinpath, paths):
                for above in path.relative_to(self._folder).parents[:-1]:
                    try:
                        (self._folder / above).rmdir()
                    except OSError:
                        break

    def _make_folder(self, path: str) -> None:
        (self._folder / path).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _reported(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise EngineError(f"cannot {action} the registry's volume: {reason_of(exc)}") from exc


def _iter_repositories(top: str, name: str) -> Iterator[str]:
    for entry in _names(f"{top}/{name}"):
        if entry == "_layers":
            yield name
        elif not entry.startswith("_"):
            yield from _iter_repositories(top, f"{name}/{entry}" if name else entry)


def _iter_files(path: str, skip: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    """The path and status of a file, or of all below a folder that are no folders."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except NotADirectoryError:
        yield path, os.stat(path, follow_symlinks=False)  # noqa: PTH116 -- as below
        return
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in skip:
                yield from _iter_files(entry.path, skip)
            continue
        with contextlib.suppress(FileNotFoundError):
            yield entry.path, entry.stat(follow_symlinks=False)


def _iter_all(path: str) -> Iterator[os.stat_result]:
    """The status of a folder and of all in it."""
    with contextlib.suppress(*_VANISHED):
        yield os.lstat(path)
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                yield from _iter_all(entry.path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False)


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


def _read(path: str, name: str) -> StoredFile | None:
    # As the registry answers a name that is not UTF-8.
    name = os.fsencode(name).decode(errors="replace")
    if "/_manifests/revisions/" in name:
        return StoredFile(name) if os.path.exists(path) else None  # noqa: PTH110 -- as above
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        # A pipe or another non-file must not block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            content = os.read(descriptor, 128) if stat.S_ISREG(found.st_mode) else b""
        finally:
            os.close(descriptor)
        return StoredFile(name, int(found.st_mtime), content.decode("ascii", errors="replace"))
    return None
