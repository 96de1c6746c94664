"""Files that are written beside their place, and get their name once they are complete."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from localreg.errors import ConflictError, LocalregError, reason_of
from localreg.system.command_line import Sentence


class PartFile:
    """A file that has its name at the end only; until then it is `NAME.part`. A failure removes it.

    Args:
        path: Its name.
        split: The most bytes of one file; then it is `NAME.000`, `NAME.001` and so on. None for one file.

    Raises:
        ConflictError: another process writes it.
        LocalregError: it cannot be written.
    """

    def __init__(self, path: Path, *, split: int | None = None) -> None:
        self._path = path
        self._split = split
        self._parts: list[tuple[int, Path]] = []
        """The descriptor of each file, and its name."""
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
            for descriptor, path in self._parts:
                if not self._is_named:
                    with contextlib.suppress(OSError):
                        _part(path).unlink()
                os.close(descriptor)

    def write(self, data: bytes, /) -> int:
        """Write all of these bytes."""
        left = memoryview(data)
        while left:
            if not self._room:
                self._open()
            try:
                written = os.write(self._parts[-1][0], left[: self._room])
            except OSError as exc:
                raise self._unwritable(exc) from exc
            self._room -= written
            self.size += written
            left = left[written:]
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def _open(self) -> None:
        path = self._path if self._split is None else Path(f"{self._path}.{len(self._parts):03}")
        try:
            descriptor = _open_locked(_part(path))
            os.ftruncate(descriptor, 0)
        except BlockingIOError as exc:
            raise ConflictError(
                f"another process is writing `{_part(path)}`", hint=Sentence("wait for it, or choose another file")
            ) from exc
        except OSError as exc:
            raise self._unwritable(exc) from exc
        self._parts.append((descriptor, path))
        self._room = self._split or (1 << 62)

    def _name(self) -> None:
        try:
            for descriptor, _ in self._parts:
                os.fsync(descriptor)
            for _, path in self._parts:
                _part(path).replace(path)
            self._is_named = True
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, error: OSError) -> LocalregError:
        return LocalregError(
            f"cannot write `{self._path}`: {reason_of(error)}",
            hint=Sentence("choose a folder with enough space that you may write to"),
        )


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _open_locked(path: Path) -> int:
    """Open a file for this process alone.

    Raises:
        BlockingIOError: another one has it open.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
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
