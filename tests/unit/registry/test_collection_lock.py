"""The lock of a collection, where there is no place for it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.values import ContainerSpec
from localreg.errors import ConflictError
from localreg.registry.collection_lock import await_collection, collecting, is_collected
from localreg.registry.container import Registry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    engine = FakeEngine()
    engine.add_image("registry:2")
    return Registry(engine.create_container(ContainerSpec("registry", "registry:2")))


def fail_with(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def lockf(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", lockf)


def test_a_file_system_without_locks_is_no_reason_to_refuse(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(errno.ENOLCK, monkeypatch)
    with collecting(registry):
        assert not is_collected(registry)


def test_nor_is_a_user_without_a_folder(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "localreg").write_text("in the way")
    with collecting(registry):
        assert not is_collected(registry)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_another_holds_is_waited_for(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with collecting(registry):
        pass
    fail_with(number, monkeypatch)
    with pytest.raises(ConflictError, match="at work"):
        await_collection(registry, seconds=0)
    with pytest.raises(ConflictError, match="at work"), collecting(registry):
        pass
