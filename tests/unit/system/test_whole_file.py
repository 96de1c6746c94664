"""A file of others that is replaced: who may read it, and what others noted about it, stays."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from localreg.system.whole_file import replace_file

ACL, DEFAULT_ACL, NOTE = "system.posix_acl_access", "system.posix_acl_default", "user.origin"
_ANY = 0xFFFFFFFF


def acl(user: int) -> bytes:
    """A list that lets one more user read, as the kernel takes it; see acl(5)."""
    entries = ((1, 6, _ANY), (2, 4, user), (4, 0, _ANY), (16, 4, _ANY), (32, 0, _ANY))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in a folder that gives new ones a list of their own."""
    path = tmp_path / "daemon.json"
    path.write_bytes(b"{}")
    path.chmod(0o640)
    os.setxattr(tmp_path, DEFAULT_ACL, acl(4243))
    return path


def replace(file: Path) -> dict[str, bytes]:
    """Replace it; returns its attributes."""
    replace_file(file, b'{"a": 1}', mode=file.stat().st_mode & 0o777, like=file)
    assert file.read_bytes() == b'{"a": 1}'
    return {name: os.getxattr(file, name) for name in os.listxattr(file)}


def test_it_keeps_its_access_control_list_and_attributes(file: Path) -> None:
    os.setxattr(file, ACL, acl(4242))
    os.setxattr(file, NOTE, b"ansible")
    before = file.stat()
    found = replace(file)
    assert (found[ACL], found[NOTE]) == (acl(4242), b"ansible")
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_it_gets_no_access_control_list_that_it_did_not_have(file: Path) -> None:
    assert ACL not in replace(file)
    assert file.stat().st_mode & 0o777 == 0o640


def fail(*_: object) -> None:
    raise OSError(errno.ENOTSUP, "Operation not supported")


def test_the_group_gets_nothing_that_a_lost_list_gave_to_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.setxattr(file, ACL, acl(4242))
    assert file.stat().st_mode & 0o777 == 0o640
    with monkeypatch.context() as patch:
        patch.setattr(os, "setxattr", fail)
        replace(file)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("functions", [("listxattr", "getxattr"), ("setxattr",)])
def test_a_file_system_may_have_no_attributes(
    file: Path, monkeypatch: pytest.MonkeyPatch, functions: tuple[str, ...]
) -> None:
    os.setxattr(file, NOTE, b"ansible")
    with monkeypatch.context() as patch:
        for function in functions:
            patch.setattr(os, function, fail)
        replace_file(file, b"new", mode=0o640, like=file)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", 0o640)
