"""Files that are replaced as a whole, by one localreg process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600
"""The mode of a file that only this user can read."""
_ACL, _LABEL = "system.posix_acl_access", "security.selinux"


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock out other localreg processes that change files in a folder.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def new_name(name: str) -> str:
    """The hidden name of a file or a folder until it takes its place."""
    # A fixed one, so that the next run removes what a killed one left. The lock protects it.
    return f".{name}.new"


def replace_file(file: Path, data: bytes, *, mode: int = PRIVATE, like: Path | None = None) -> None:
    """Write a file; a reader sees the old content or the new, never half of it.

    Args:
        file: Its path, in a folder that this process has locked.
        data: Its content.
        mode: Its permissions, whatever the umask is. Until it is written, only this user can read it.
        like: A file whose user, group and extended attributes it gets, as far as this process may set them.

    Raises:
        OSError: it cannot be written.
    """
    new = file.with_name(new_name(file.name))
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            if like is not None:
                found = like.stat()
                # Only root can change the owner; for other users the file is their own.
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, found.st_uid, found.st_gid)
                if not _copy_attributes(like, descriptor):
                    # With a list, these bits are the most that it gives to anyone; without it, they are the group's.
                    mode &= ~0o070
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _copy_attributes(source: Path, descriptor: int) -> bool:
    """Copy the extended attributes of a file, with its access control list, as far as the file system has any.

    The others in `security`, such as a signature of the content, are not for new content.

    Returns:
        False if the new file has another list, or has none.
    """
    if sys.platform != "linux":
        return True
    with contextlib.suppress(OSError):
        names = os.listxattr(source)
        # The list that a new file gets from its folder.
        for name in {_ACL}.intersection(os.listxattr(descriptor)).difference(names):
            os.removexattr(descriptor, name)
        for name in names:
            if name == _LABEL or not name.startswith("security."):
                with contextlib.suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(source, name))
    return _read_list(source) == _read_list(descriptor)


def _read_list(file: Path | int) -> bytes | None:
    try:
        return os.getxattr(file, _ACL)
    except OSError:
        return None
