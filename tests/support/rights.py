"""A test that runs as root, and meets files as an ordinary user does."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from functools import partial

import pytest

_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
"""The capabilities by which root may read and write everything; see capabilities(7)."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Take root's right to read and write everything from this thread; localreg takes it for another user."""
    if os.geteuid() != 0:
        yield
        return
    libc, header, sets = ctypes.CDLL(None, use_errno=True), _Header(_VERSION_3, 0), (_Set * 2)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    before = sets[0].effective
    sets[0].effective = before & ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    assert libc.capset(ctypes.byref(header), sets) == 0
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: 65534)
            # By itself, it goes by the user who began the program.
            patch.setattr(os, "access", partial(os.access, effective_ids=True))
            yield
    finally:
        sets[0].effective = before
        assert libc.capset(ctypes.byref(header), sets) == 0
