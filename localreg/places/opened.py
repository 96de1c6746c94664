"""Opening what people have images in: a folder, a file, a split file or a pipe."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from localreg.errors import InvalidArchiveError, reason_of
from localreg.oci.archive.files import HOW_TO_SAVE, as_plain_archive, path_to, temporary_file, writing
from localreg.places.layout.files import Files, Folder, Tar
from localreg.places.layout.source import LayoutSource
from localreg.places.seekable import Parts

_CHUNK = 1 << 20


@contextlib.contextmanager
def opened_source(path: Path) -> Iterator[LayoutSource]:
    """Open a folder, an archive, or the first part of a split one.

    Args:
        path: Its path, or the name that `save --split` was given.

    Raises:
        InvalidArchiveError: it is not an image archive, is damaged, or cannot be read.
    """
    if path.is_dir():
        yield _source(Folder(path), path)
        return
    with _opened_parts(path) as parts:
        yield _source(Tar(parts, str(path)), path)


@contextlib.contextmanager
def opened_stream(stream: IO[bytes], shown: str) -> Iterator[LayoutSource]:
    """Open an archive that comes through a pipe; a temporary file holds it meanwhile.

    Raises:
        InvalidArchiveError: it is not an image archive, or is damaged.
        LocalregError: the temporary file cannot be written.
    """
    with temporary_file() as spool:
        with writing():
            shutil.copyfileobj(stream, spool, _CHUNK)
            spool.flush()
        with _opened_parts(path_to(spool)) as parts:
            yield _source(Tar(parts, shown), Path(shown))


@contextlib.contextmanager
def _opened_parts(path: Path) -> Iterator[Parts]:
    files = _parts_of(path)
    with contextlib.ExitStack() as stack:
        if len(files) == 1:
            files = [stack.enter_context(as_plain_archive(files[0]))]
        descriptors: list[int] = []
        try:
            descriptors.extend(os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in files)
        except OSError as exc:
            for descriptor in descriptors:
                os.close(descriptor)
            raise InvalidArchiveError(f"cannot read `{path}`: {reason_of(exc)}") from exc
        yield stack.enter_context(Parts(descriptors))


def _parts_of(path: Path) -> list[Path]:
    """The files of an archive: itself, or `NAME.000`, `NAME.001` and so on."""
    name = path.with_suffix("") if path.suffix == ".000" else path
    if path.exists() and name == path:
        return [path]
    found = [Path(f"{name}.{number:03}") for number in range(1000)]
    parts = [part for part in found if part.exists()]
    if not parts:
        raise InvalidArchiveError(f"`{path}` does not exist")
    if parts != found[: len(parts)]:
        missing = next(part for part in found if not part.exists())
        raise InvalidArchiveError(f"a part of the archive is missing: `{missing}`")
    return parts


def _source(files: Files, path: Path) -> LayoutSource:
    if "index.json" in files:
        return LayoutSource(files)
    raise InvalidArchiveError(f"`{path}` is not an image archive or an OCI image layout", hint=HOW_TO_SAVE)
