"""Opening what people have images in: a folder, a file, a split file or a pipe."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from localreg.errors import InvalidArchiveError, reason_of
from localreg.oci.archive.files import HOW_TO_SAVE, LONGEST_MAGIC, find_opener, reading, spooled
from localreg.places.docker_archive import as_layout
from localreg.places.layout.files import DOCKER_MANIFEST, INDEX, Files, Folder
from localreg.places.layout.source import LayoutSource
from localreg.places.layout.tar import Tar
from localreg.places.seekable import Parts
from localreg.system.command_line import Sentence

_LATER_PART = re.compile(r"\.[0-9]{3}")


@contextlib.contextmanager
def opened_source(path: Path) -> Iterator[LayoutSource]:
    """Open a folder, an archive, the first part of a split one, or a pipe that has a path.

    Args:
        path: Its path, or the name that `save --split` was given.

    Raises:
        InvalidArchiveError: it is not an image archive, is damaged, or cannot be read.
        LocalregError: a temporary file cannot be written.
    """
    with reading(path):
        is_folder, is_pipe = path.is_dir(), _is_pipe(path)
        files = [] if is_folder or is_pipe else _parts_of(path)
    if is_folder:
        with _as_source(Folder(path), path) as source:
            yield source
    elif is_pipe:
        with contextlib.ExitStack() as stack:
            with reading(path):
                stream = stack.enter_context(path.open("rb"))
            yield stack.enter_context(opened_stream(stream, str(path)))
    else:
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(_opened_parts(files, path))
            except InvalidArchiveError as exc:
                first = path.with_suffix(".000")
                if _LATER_PART.fullmatch(path.suffix) is None or not first.exists():
                    raise
                raise exc.with_(hint=Sentence(f"name the first part of the archive, `{first}`")) from exc
            yield source


@contextlib.contextmanager
def opened_stream(stream: IO[bytes], shown: str) -> Iterator[LayoutSource]:
    """Open an archive that comes through a pipe; a temporary file holds it meanwhile.

    Raises:
        InvalidArchiveError: it is not an image archive, or is damaged.
        LocalregError: the temporary file cannot be written.
    """
    with spooled(stream, Path(shown)) as path, _opened_parts([path], Path(shown)) as source:
        yield source


@contextlib.contextmanager
def _opened_parts(files: list[Path], shown: Path) -> Iterator[LayoutSource]:
    with contextlib.ExitStack() as stack:
        parts = stack.enter_context(_opened(files))
        opener = find_opener(parts.read_at(0, LONGEST_MAGIC))
        if opener is not None:
            with reading(shown):
                packed = opener(io.BufferedReader(parts), "rb")
            plain = stack.enter_context(spooled(packed, shown))
            parts = stack.enter_context(_opened([plain]))
        yield stack.enter_context(_as_source(Tar(parts, str(shown)), shown))


def _opened(files: list[Path]) -> Parts:
    descriptors: list[int] = []
    for file in files:
        try:
            descriptors.append(os.open(file, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as exc:
            for descriptor in descriptors:
                os.close(descriptor)
            raise InvalidArchiveError(f"cannot read `{file}`: {reason_of(exc)}") from exc
    return Parts(descriptors)


def _is_pipe(path: Path) -> bool:
    """It can be read once, from its beginning to its end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


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


@contextlib.contextmanager
def _as_source(files: Files, shown: Path) -> Iterator[LayoutSource]:
    """What is in an archive. Docker writes some that are of both kinds, and those are read as layouts."""
    if INDEX in files:
        yield LayoutSource(files)
    elif DOCKER_MANIFEST in files:
        with as_layout(files) as layout:
            yield LayoutSource(layout)
    else:
        raise InvalidArchiveError(f"`{shown}` is not an image archive or an OCI image layout", hint=HOW_TO_SAVE)
