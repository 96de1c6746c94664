"""Files that are written beside their place, and get their name once they are complete."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from localreg.errors import ConflictError, LocalregError, reason_of
from localreg.system.command_line import Sentence

MOST_PARTS = 1000
"""Of a split file: their numbers have three digits, so that the shell sorts them."""
_NO_LIMIT = 1 << 62


class PartFile:
    """A file that has its name at the end only; until then it is `NAME.part`. A failure removes it.

    Args:
        path: Its name. A link stays, and leads to the new file.
        split: The most bytes of one file; then it is `NAME.000`, `NAME.001` and so on. None for one file.

    Raises:
        ConflictError: another process writes it.
        LocalregError: it cannot be written.
    """

    def __init__(self, path: Path, *, split: int | None = None) -> None:
        self._shown = path
        self._path = Path(os.path.realpath(path))
        self._split = split
        self._paths: list[Path] = []
        self._lock = -1
        """The descriptor of the first file, which is open until all have their names."""
        self._current = -1
        self._room = 0
        self._is_named = False
        self.size = 0
        """Bytes that were written."""

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._name()
        finally:
            if not self._is_named:
                for path in self._paths:
                    with contextlib.suppress(OSError):
                        _part(path).unlink()
            for descriptor in {self._current, self._lock} - {-1}:
                os.close(descriptor)

    def write(self, data: bytes, /) -> int:
        """Write all of these bytes."""
        left = memoryview(data)
        while left:
            if not self._room:
                self._open()
            try:
                written = os.write(self._current, left[: self._room])
            except OSError as exc:
                raise self._unwritable(exc) from exc
            self._room -= written
            self.size += written
            left = left[written:]
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def _open(self) -> None:
        number = len(self._paths)
        if number == MOST_PARTS:
            raise LocalregError(
                f"the archive has more than {MOST_PARTS} parts of {self._split} bytes",
                hint=Sentence("choose a larger size for --split"),
            )
        path = self._path if self._split is None else _numbered(self._path, number)
        try:
            self._close_complete()
            self._current = _open_locked(_part(path))
            self._paths.append(path)
            os.ftruncate(self._current, 0)
        except BlockingIOError as exc:
            raise ConflictError(
                f"another process is writing `{self._shown}`", hint=Sentence("wait for it, or choose another file")
            ) from exc
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if not number:
            self._lock = self._current
        self._room = self._split or _NO_LIMIT

    def _close_complete(self) -> None:
        """Close a part that is full: a process may have few files open."""
        if self._current not in (-1, self._lock):
            current, self._current = self._current, -1
            try:
                os.fsync(current)
            finally:
                os.close(current)

    def _name(self) -> None:
        try:
            for descriptor in {self._current, self._lock}:
                os.fsync(descriptor)
            for path in self._paths:
                _part(path).replace(path)
            self._is_named = True
            if self._split is not None:
                # Of an earlier archive, or of a run that was killed: a reader would take them for parts of this one.
                for path in _following(self._path, len(self._paths)):
                    path.unlink()
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, error: OSError) -> LocalregError:
        folder = self._path.parent
        if isinstance(error, FileNotFoundError) and not folder.exists():
            return LocalregError(
                f"cannot write `{self._shown}`: the folder `{folder}` does not exist", hint=f"mkdir -p {folder}"
            )
        return unwritable(self._shown, error)


class Stream:
    """A pipe, a device or stdout, which gets its bytes at once.

    Args:
        file: It is written to.
        shown: How messages name it.
    """

    def __init__(self, file: IO[bytes], shown: Path | str) -> None:
        self._file = file
        self._shown = shown
        self.size = 0
        """Bytes that were written."""

    def write(self, data: bytes, /) -> int:
        """Write all of these bytes.

        Raises:
            BrokenPipeError: nothing reads them.
            LocalregError: they cannot be written.
        """
        left = memoryview(data)
        with self._reported():
            while left:
                left = left[self._file.write(left) :]
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Pass on what was kept back."""
        with self._reported():
            self._file.flush()

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise unwritable(self._shown, exc) from exc


@contextlib.contextmanager
def opened_stream(path: Path) -> Iterator[Stream]:
    """Open a pipe or a device; waits until a pipe has a reader.

    Raises:
        LocalregError: it cannot be written.
    """
    try:
        file = path.open("wb", buffering=0)
    except OSError as exc:
        raise unwritable(path, exc) from exc
    with file:
        yield Stream(file, path)


def is_stream(path: Path) -> bool:
    """It is a pipe or a device, beside which nothing is to be written, and not a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def unwritable(path: Path | str, error: OSError) -> LocalregError:
    """The error for a file that cannot be written; text for one that has no path."""
    return LocalregError(
        f"cannot write {f'`{path}`' if isinstance(path, Path) else path}: {reason_of(error)}",
        hint=Sentence("choose a folder with enough space that you may write to"),
    )


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number:03}")


def _following(path: Path, number: int) -> Iterator[Path]:
    """The files that are there from some part on, complete or not, up to the first gap."""
    while found := [each for each in (_numbered(path, number), _part(_numbered(path, number))) if each.exists()]:
        yield from found
        number += 1


def _open_locked(path: Path) -> int:
    """Open a file for this process alone.

    Raises:
        BlockingIOError: another one has it open.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have given it its name since it was opened.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
