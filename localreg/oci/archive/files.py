"""Files of image archives: opening them, and temporary ones, with errors that name the file."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from localreg.errors import InvalidArchiveError, LocalregError, reason_of

HOW_TO_SAVE = "docker save IMAGE -o FILE"

_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZSTD = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 20
_SMALL = 8 << 20


@contextlib.contextmanager
def temporary_file() -> Iterator[IO[bytes]]:
    """A file that is gone with the context, and with the process: it has no name that a kill could leave behind."""
    with writing():
        file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed below
    try:
        yield file
    finally:
        # What could not be written was reported by whoever wrote it; closing tries once more.
        with contextlib.suppress(OSError):
            file.close()


def path_to(file: IO[bytes]) -> Path:
    """Where a temporary file that was written can be opened, as long as it is open here."""
    # What opens it begins where this one is, on systems where it is no file of its own.
    file.seek(0)
    return Path(f"/dev/fd/{file.fileno()}")


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Say where it was that nothing more could be written."""
    try:
        yield
    except OSError as exc:
        raise LocalregError(
            f"cannot write an image archive in `{tempfile.gettempdir()}`: {reason_of(exc)}",
            hint="set TMPDIR to a folder with room for it",
        ) from exc


def _compression(archive: Path) -> Any:
    """What opens the archive as if it were not compressed; None where it is not."""
    with archive.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)), None)


@contextlib.contextmanager
def opened_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """The tar file that an archive is, compressed or not.

    Raises:
        InvalidArchiveError: it is none, is damaged, or cannot be read.
    """
    with _reading(archive), tarfile.open(archive) as tar:
        yield tar


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise InvalidArchiveError(f"there is no file `{archive}`") from exc
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as exc:
        if _is_zstd(archive):
            raise InvalidArchiveError(f"`{archive}` is compressed with zstd", hint=f"zstd -d {archive}") from exc
        raise InvalidArchiveError(f"`{archive}` is no image archive, or a damaged one", hint=HOW_TO_SAVE) from exc
    except OSError as exc:
        raise InvalidArchiveError(f"cannot read `{archive}`: {reason_of(exc)}") from exc


def _is_zstd(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(len(_ZSTD)) == _ZSTD


def blob_path(digest: str) -> str:
    """Where an OCI archive has a blob."""
    return "blobs/" + digest.replace(":", "/")


def get_member(tar: tarfile.TarFile, archive: Path, name: str) -> tarfile.TarInfo:
    """A file of an archive.

    Raises:
        InvalidArchiveError: it is not there.
    """
    for spelling in (name, f"./{name}"):
        with contextlib.suppress(KeyError):
            return tar.getmember(spelling)
    raise InvalidArchiveError(f"`{name}` is missing in `{archive}`")


def read_member(tar: tarfile.TarFile, archive: Path, name: str) -> bytes:
    """The content of a small file of an archive.

    Raises:
        InvalidArchiveError: it is not there, or not small.
    """
    member = get_member(tar, archive, name)
    data = tar.extractfile(member)
    if data is None or member.size > _SMALL:
        raise InvalidArchiveError(f"`{name}` in `{archive}` is not what it should be")
    return data.read()


@contextlib.contextmanager
def as_plain_archive(archive: Path) -> Iterator[Path]:
    """An archive without its compression, for as long as the context lasts; Podman loads no compressed docker-archive.

    Raises:
        InvalidArchiveError: it is damaged.
    """
    opener = _compression(archive)
    if opener is None:
        yield archive
        return
    with temporary_file() as target:
        with _reading(archive), opener(archive, "rb") as source:
            while chunk := source.read(_CHUNK):
                with writing():
                    target.write(chunk)
        with writing():
            target.flush()
            path = path_to(target)
        yield path
