"""Opening image archives and temporary files, with errors that name the file."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from localreg.errors import InvalidArchiveError, LocalregError, reason_of
from localreg.system.command_line import Sentence

HOW_TO_SAVE = "docker save IMAGE -o FILE"

ZSTD = b"\x28\xb5\x2f\xfd"
GZIP = b"\x1f\x8b"
LONGEST_MAGIC = 6

_CHUNK = 1 << 20
_SMALL = 8 << 20

Opener = Callable[[Any, str], IO[bytes]]
"""Opens a path or a binary file that is compressed, to read what is in it."""


@contextlib.contextmanager
def temporary_file() -> Iterator[IO[bytes]]:
    """A temporary file without a name, so that not even a kill leaves it behind."""
    with writing():
        file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    try:
        yield file
    finally:
        # A failed write was already reported; closing tries again.
        with contextlib.suppress(OSError):
            file.close()


def path_to(file: IO[bytes]) -> Path:
    """The path of an open temporary file, valid while it is open."""
    # On some systems the reader shares this file's position.
    file.seek(0)
    return Path(f"/dev/fd/{file.fileno()}")


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Name the folder in the error if writing fails."""
    try:
        yield
    except OSError as exc:
        raise LocalregError(
            f"cannot write an image archive in `{tempfile.gettempdir()}`: {reason_of(exc)}",
            hint=Sentence("set TMPDIR to a folder with enough space"),
        ) from exc


def find_opener(start: bytes) -> Opener | None:
    """A function that opens a compressed file.

    Args:
        start: The first bytes of the file, `LONGEST_MAGIC` if it has as many.

    Returns:
        None if it is not compressed.
    """
    openers = {GZIP: gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open, ZSTD: _open_zstd}
    return next((cast("Opener", opener) for magic, opener in openers.items() if start.startswith(magic)), None)


def _open_zstd(file: Any, _mode: str) -> IO[bytes]:
    from localreg.oci.archive.zstd import ZstdFile  # noqa: PLC0415 -- loads a library

    return cast("IO[bytes]", ZstdFile(file))


def damages(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """The errors of reading a file that is damaged, and others; some compressions also raise `OSError`."""
    from localreg.oci.archive.zstd import ZstdError  # noqa: PLC0415 -- loads a library, after an error only

    return (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ZstdError, *others)


def _find_opener_of(archive: Path) -> Opener | None:
    with archive.open("rb") as file:
        return find_opener(file.read(LONGEST_MAGIC))


@contextlib.contextmanager
def opened_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive as a tar file, compressed or not.

    Raises:
        InvalidArchiveError: it is not an archive, is damaged, or cannot be read.
    """
    with reading(archive), contextlib.ExitStack() as stack:
        opener = _find_opener_of(archive)
        file = None if opener is None else stack.enter_context(opener(archive, "rb"))
        yield stack.enter_context(tarfile.open(archive, "r:", fileobj=file))


@contextlib.contextmanager
def reading(archive: Path) -> Iterator[None]:
    """Name the archive in the error if reading it fails.

    Raises:
        InvalidArchiveError: it is not an archive, is damaged, or cannot be read.
    """
    try:
        yield
    except FileNotFoundError as exc:
        raise InvalidArchiveError(f"`{archive}` does not exist") from exc
    except damages() as exc:
        if isinstance(exc, EOFError) or "unexpected end of data" in str(exc):
            raise ends_early(archive) from exc
        raise InvalidArchiveError(f"`{archive}` is not an image archive, or is damaged", hint=HOW_TO_SAVE) from exc
    except OSError as exc:
        raise InvalidArchiveError(f"cannot read `{archive}`: {reason_of(exc)}") from exc


def ends_early(archive: Path) -> InvalidArchiveError:
    """The error for an archive whose end is missing."""
    return InvalidArchiveError(f"`{archive}` ends early: it was not written or copied completely", hint=HOW_TO_SAVE)


def read_end(tar: tarfile.TarFile, archive: Path) -> bytes | None:
    """The rest after the last member of a tar file that was read to its end, if that is less than a block of zeros.

    Python reads a file that was cut between two members, or in the header of one, without an error. Engines load the
    first if nothing is missing, but not the second.

    Returns:
        None for a file with the usual end, and for a compressed one, which says itself that it was cut.
    """
    if _find_opener_of(archive) is not None:
        return None
    with archive.open("rb") as file:
        file.seek(tar.offset)
        end = file.read(tarfile.BLOCKSIZE)
    return end if len(end) < tarfile.BLOCKSIZE else None


def blob_path(digest: str) -> str:
    """The path of a blob in an OCI archive."""
    return "blobs/" + digest.replace(":", "/")


def get_member(tar: tarfile.TarFile, archive: Path, name: str) -> tarfile.TarInfo:
    """A file of an archive.

    Raises:
        InvalidArchiveError: it is missing.
    """
    for spelling in (name, f"./{name}"):
        with contextlib.suppress(KeyError):
            return tar.getmember(spelling)
    raise InvalidArchiveError(f"`{archive}` lacks `{name}`")


def read_member(tar: tarfile.TarFile, archive: Path, name: str) -> bytes:
    """The content of a small file of an archive.

    Raises:
        InvalidArchiveError: it is missing or too large.
    """
    member = get_member(tar, archive, name)
    data = tar.extractfile(member)
    if data is None or member.size > _SMALL:
        raise InvalidArchiveError(f"`{name}` in `{archive}` is too large or not a file")
    return data.read()


@contextlib.contextmanager
def as_plain_archive(archive: Path) -> Iterator[Path]:
    """An uncompressed copy of an archive while the context lasts; Podman does not load a compressed docker-archive.

    Raises:
        InvalidArchiveError: it is damaged.
    """
    opener = _find_opener_of(archive)
    if opener is None:
        yield archive
        return
    with contextlib.ExitStack() as stack:
        with reading(archive):
            source = stack.enter_context(opener(archive, "rb"))
        yield stack.enter_context(spooled(source, archive))


@contextlib.contextmanager
def spooled(source: IO[bytes], shown: Path) -> Iterator[Path]:
    """The path of a temporary file with all that another one has, while the context lasts.

    Args:
        source: A pipe, or a file that is decompressed while it is read.
        shown: How messages name it.

    Raises:
        InvalidArchiveError: it is damaged or cannot be read.
        LocalregError: the temporary file cannot be written.
    """
    with temporary_file() as target:
        while True:
            with reading(shown):
                chunk = source.read(_CHUNK)
            if not chunk:
                break
            with writing():
                target.write(chunk)
        with writing():
            target.flush()
            path = path_to(target)
        yield path
