"""A registry's data in a folder that this process can read."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from localreg.errors import EngineError, reason_of
from localreg.registry.volume_layout import DIGEST, LARGEST, ROOT, Links, StoredFile, is_whole, links_of, place_of


class FolderVolume:
    """A registry's data in a folder that this process can read.

    Args:
        folder: The registry's root directory.
    """

    def __init__(self, folder: Path) -> None:
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
