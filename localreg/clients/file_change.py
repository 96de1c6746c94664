"""A change of a configuration file: shown as a diff, then made atomically, by one localreg process at a time."""

from __future__ import annotations

import difflib
import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from localreg.system.whole_file import locked_folder, new_name, replace_file

_FILE_MODE, _FOLDER_UMASK = 0o644, 0o022


class ChangedMeanwhileError(Exception):
    """Another program changed the file since the change was planned."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file before and after; an empty one counts as one that does not exist."""

    path: Path
    before: bytes | None
    """None if it does not exist."""
    after: bytes | None
    """None if it is to be removed."""
    with_folder: bool = False
    """The folder exists only for the file: it comes and goes with it, and is never seen empty.

    For a folder whose existence alone means something to a client, as in `certs.d`.
    """

    @property
    def changes(self) -> bool:
        """It is not the same before and after."""
        return self.before != self.after

    @property
    def spare(self) -> Path:
        """The file in the folder that is renamed, if the file comes and goes with its folder."""
        folder = self.path.parent
        return folder.with_name(new_name(folder.name)) / self.path.name

    def diff(self) -> str:
        """The change as a unified diff; empty without a change."""
        lines = difflib.unified_diff(
            _lines(self.before),
            _lines(self.after),
            "/dev/null" if self.before is None else str(self.path),
            "/dev/null" if self.after is None else str(self.path),
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def make(self) -> None:
        """Write the file, or remove it; a link stays, and the file that it leads to is changed.

        Raises:
            ChangedMeanwhileError: the file is not as it was when the change was planned.
            OSError: it cannot be written.
        """
        if not self.changes:
            return
        # A link that others made stays, as do the folder and the file that it leads to.
        if self.with_folder and not (self.path.is_symlink() or self.path.parent.is_symlink()):
            self._make_with_folder()
            return
        target = self.path.resolve()
        for folder in (self.path.parent, target.parent):
            make_folder(folder)
        with locked_folder(target.parent):
            if (read_file(target) or None) != (self.before or None):
                raise ChangedMeanwhileError(str(self.path))
            if self.after is not None:
                _replace(target, self.after)
            elif self.path.is_symlink():
                _replace(target, b"")
            else:
                target.unlink()

    def _make_with_folder(self) -> None:
        """Rename a folder into its place with the file in it, or out of its place."""
        folder, name, spare = self.path.parent, self.path.name, self.spare.parent
        make_folder(folder.parent)
        with locked_folder(folder.parent):
            if (read_file(self.path) or None) != (self.before or None):
                raise ChangedMeanwhileError(str(self.path))
            # A killed run may have left it.
            _remove_folder(spare)
            if self.after is None and {path.name for path in folder.iterdir()} <= {name, new_name(name)}:
                folder.rename(spare)
                _remove_folder(spare)
            elif self.after is None:
                self.path.unlink()
            elif folder.is_dir():
                _replace(self.path, self.after)
            else:
                make_folder(spare)
                try:
                    _replace(spare / name, self.after)
                    spare.rename(folder)
                except BaseException:
                    _remove_folder(spare)
                    raise


def remove_spares(folder: Path, is_ours: Callable[[Path], bool]) -> None:
    """Remove the folders that a killed run renamed out of their place, or did not rename into it.

    Args:
        folder: Where they were.
        is_ours: Whether localreg wrote a file in one.
    """
    if not folder.is_dir():
        return
    with locked_folder(folder):
        for spare in folder.glob(".*.new"):
            if spare.is_dir() and all(map(is_ours, spare.iterdir())):
                _remove_folder(spare)


def merged(changes: Iterable[FileChange]) -> list[FileChange]:
    """The same changes, one for each file."""
    found: dict[Path, FileChange] = {}
    for change in changes:
        first = found.setdefault(change.path, change)
        found[change.path] = replace(first, after=change.after)
    return [change for change in found.values() if change.changes]


def read_file(path: Path) -> bytes | None:
    """The content of a file; None if it does not exist.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def may_read(path: Path) -> bool:
    """Whether this user may read a file or a folder, or see that it does not exist."""
    try:
        is_folder = path.is_dir()
    except PermissionError:
        return False
    return not path.exists() or os.access(path, os.R_OK | (os.X_OK if is_folder else 0))


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, readable by all users, whatever the umask is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    # With the umask instead of a later chmod, because a kill between the two would leave the wrong mode.
    before = os.umask(_FOLDER_UMASK)
    try:
        folder.mkdir(exist_ok=True)
    finally:
        os.umask(before)


def _remove_folder(folder: Path) -> None:
    """Remove a folder with the files in it; does nothing if it does not exist."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _lines(data: bytes | None) -> list[str]:
    return (data or b"").decode(errors="backslashreplace").splitlines(keepends=True)


def _replace(target: Path, data: bytes) -> None:
    """Replace the file; its client never sees half of it, because it does not read a hidden file.

    Raises:
        OSError: it cannot be written, or is not a regular file, such as /dev/null.
    """
    existing = target.stat() if target.exists() else None
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(target))
    if existing is None:
        replace_file(target, data, mode=_FILE_MODE)
    else:
        replace_file(target, data, mode=existing.st_mode & 0o777, like=target)
