"""A registry's data in a folder that this process can read."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from localreg.errors import EngineError, reason_of
from localreg.oci.digest import is_whole
from localreg.registry.volume_layout import (
    BLOBS,
    DIGEST,
    LARGEST,
    REPOSITORIES,
    ROOT,
    Links,
    TagLink,
    VolumeFile,
    data_of,
    read_link,
)

_LARGEST_LINK = 128
_BLOCK = 512
"""Bytes of a block in `st_blocks`; see stat(2)."""

_VANISHED = (FileNotFoundError, NotADirectoryError)


class FolderVolume:
    """A registry's data in a folder that this process can read.

    Args:
        folder: The registry's root directory.
    """

    is_elsewhere = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / ROOT

    @property
    def is_readable(self) -> bool:
        """This process can read all of it."""
        return all(os.access(self._root / part, os.R_OK | os.X_OK) for part in ("repositories", "blobs"))

    @property
    def is_writable(self) -> bool:
        """This process can also change it, as the registry's own user: the registry must be able to change all of it.

        Everybody may read what a registry that runs as root wrote, and root may change what any user's wrote.
        """
        made = (self._root / "repositories", self._root / "blobs/sha256")
        is_its_user = all(_owner_of(part) == os.geteuid() for part in made)
        return is_its_user and all(os.access(part, os.W_OK | os.X_OK) for part in (self._folder, *made))

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories.

        Raises:
            EngineError: this process may not read all of them.
        """
        top = str(self._root / "repositories")
        tags: list[TagLink] = []
        revisions: set[tuple[str, str]] = set()
        with _reported("read"):
            for name in _iter_repositories(top, having="_manifests") if repositories is None else sorted(repositories):
                manifests, repository = f"{top}/{name}/_manifests", _text(name)
                tags += filter(None, (_read_tag(manifests, repository, tag) for tag in _names(f"{manifests}/tags")))
                revisions.update((repository, digest) for digest in _iter_revisions(f"{manifests}/revisions/sha256"))
        return Links(tuple(tags), frozenset(revisions))

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob."""
        for digest in filter(DIGEST.fullmatch, digests):
            try:
                data, _ = _read(f"{self._folder}/{data_of(digest)}", LARGEST)
            except OSError:
                continue
            if is_whole(digest, data):
                yield digest, data

    def list_repositories(self) -> list[str]:
        """Every repository that has or had content."""
        with _reported("read"):
            return sorted(_iter_repositories(str(self._folder / REPOSITORIES), having="_layers"))

    def list_blobs(self) -> set[str]:
        """The digests of all blobs that have a folder."""
        with _reported("read"):
            top = f"{self._folder}/{BLOBS}"
            found = (f"sha256:{name}" for part in _names(top) for name in _names(f"{top}/{part}"))
            return set(filter(DIGEST.fullmatch, found))

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

    def free_space(self) -> int:
        """Bytes that are left on its disk for the registry."""
        with _reported("read"):
            found = os.statvfs(self._folder)
            return found.f_bavail * found.f_frsize

    def make_file(self, path: str) -> None:
        """Create an empty file, with its folder."""
        with _reported("write"):
            self._make_folder(os.path.dirname(path))  # noqa: PTH120 -- as below
            (self._folder / path).touch()

    def move_into(self, folders: Mapping[str, Collection[str]]) -> None:
        """Rename files and folders into folders."""
        with _reported("write"):
            for folder, paths in folders.items():
                self._make_folder(folder)
                for path in paths:
                    with contextlib.suppress(*_VANISHED):
                        _rename(f"{self._folder}/{path}", f"{self._folder}/{folder}/{path.rpartition('/')[2]}")

    def put_back(self, files: Collection[tuple[str, str]]) -> None:
        """Rename files, and create their folders."""
        with _reported("write"):
            for path, target in files:
                source = self._folder / path
                if source.exists():
                    self._make_folder(os.path.dirname(target))  # noqa: PTH120 -- as below
                    try:
                        os.rename(source, f"{self._folder}/{target}")  # noqa: PTH104 -- as below
                    except _VANISHED:
                        # Another process may have taken the new folder: then the file is not back.
                        if source.exists():
                            raise

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
                    except FileNotFoundError:
                        continue
                    except OSError:
                        break

    def _make_folder(self, path: str) -> None:
        (self._folder / path).mkdir(parents=True, exist_ok=True)


def _rename(path: str, target: str) -> None:
    """Rename a file or a folder; file by file where an overlay cannot rename a folder of an image's layer."""
    try:
        os.rename(path, target)  # noqa: PTH104 -- a `Path` takes longer than the renaming
    except OSError as exc:
        if exc.errno != errno.EXDEV or not os.path.isdir(path):  # noqa: PTH112 -- as above
            raise
        for name, _ in list(_iter_files(path, frozenset())):
            new = f"{target}{name[len(path) :]}"
            Path(new).parent.mkdir(parents=True, exist_ok=True)
            os.rename(name, new)  # noqa: PTH104 -- as above
        shutil.rmtree(path)


@contextlib.contextmanager
def _reported(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise EngineError(f"cannot {action} the registry's volume: {reason_of(exc)}") from exc


def _iter_repositories(top: str, name: str = "", *, having: str) -> Iterator[str]:
    """The names of the repositories that have a folder of this name; a repository may be in another."""
    for part in _names(f"{top}/{name}"):
        if part == having:
            yield name
        elif not part.startswith("_"):
            yield from _iter_repositories(top, f"{name}/{part}" if name else part, having=having)


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


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 -- a `Path` takes longer than the reading
    except (FileNotFoundError, NotADirectoryError):
        # It vanished meanwhile, or is a stray file.
        return []


def _iter_revisions(folder: str) -> Iterator[str]:
    for encoded in _names(folder):
        digest = f"sha256:{encoded}"
        # A manifest that was deleted leaves its folder.
        if DIGEST.fullmatch(digest):
            with contextlib.suppress(*_VANISHED):
                os.stat(f"{folder}/{encoded}/link")  # noqa: PTH116 -- a `Path` takes longer
                yield digest


def _read_tag(manifests: str, repository: str, tag: str) -> TagLink | None:
    try:
        content, time = _read(f"{manifests}/tags/{tag}/current/link", _LARGEST_LINK)
    except _VANISHED:
        return None
    return read_link(repository, _text(tag), content.decode("ascii", errors="replace"), int(time))


def _read(path: str, most: int) -> tuple[bytes, float]:
    """The bytes of a file and its time; no bytes if it is larger, or not a file."""
    # Not `open`, which takes longer than the reading; and a pipe must not block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        is_read = stat.S_ISREG(found.st_mode) and found.st_size <= most
        return os.read(descriptor, found.st_size) if is_read else b"", found.st_mtime
    finally:
        os.close(descriptor)


def _owner_of(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None


def _text(name: str) -> str:
    """A name as the registry answers it if it is not UTF-8."""
    return name if name.isascii() else os.fsencode(name).decode(errors="replace")
