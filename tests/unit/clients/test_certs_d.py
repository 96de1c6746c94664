"""Files in `certs.d`: a folder is never seen empty, and goes only if localreg made it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from localreg.clients.certs_d import Wanted, plan_files

PLACE = "192.0.2.1:5000"


class Killed(BaseException):
    """The process ends."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "certs.d" / PLACE


def make(folder: Path, *wanted: str, client: str = "docker", name: str = "registry") -> None:
    paths = [Wanted(folder / f"localreg-{client}.crt", text) for text in wanted]
    for change in plan_files(client, name, [folder.parent], paths):
        change.make()


def test_the_folder_comes_and_goes_with_the_file(folder: Path) -> None:
    make(folder, "PEM\n")
    assert (folder / "localreg-docker.crt").read_text().endswith("\nPEM\n")
    assert [path.name for path in folder.iterdir()] == ["localreg-docker.crt"]
    make(folder, "PEM\n")
    make(folder, "NEW\n")
    assert (folder / "localreg-docker.crt").read_text().endswith("\nNEW\n")
    make(folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("others", [[], ["ca.crt"]])
def test_a_folder_of_others_stays(folder: Path, others: list[str]) -> None:
    folder.mkdir(parents=True)
    for name in others:
        (folder / name).touch()
    make(folder, "PEM\n")
    make(folder, "PEM\n")
    make(folder)
    assert [path.name for path in folder.iterdir()] == others


def test_what_others_put_into_the_folder_stays(folder: Path) -> None:
    make(folder, "PEM\n")
    (folder / "client.cert").touch()
    make(folder, "PEM\n")
    make(folder)
    assert [path.name for path in folder.iterdir()] == ["client.cert"]


def test_two_clients_may_share_a_folder(folder: Path) -> None:
    make(folder, "PEM\n")
    make(folder, "PEM\n", client="podman")
    make(folder)
    assert [path.name for path in folder.iterdir()] == ["localreg-podman.crt"]
    make(folder, client="podman")
    assert list(folder.parent.iterdir()) == []


def test_each_registry_has_its_own(folder: Path) -> None:
    make(folder, "PEM\n", name="one")
    make(folder.with_name("192.0.2.1:5001"), "PEM\n", name="two")
    make(folder, name="two")
    assert [path.name for path in folder.parent.iterdir()] == [PLACE]


def test_a_disk_that_is_full_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        make(folder, "PEM\n")
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("step", ["mkdir", "open", "replace", "rename"])
def test_a_run_that_is_killed_leaves_no_empty_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """An empty one would hide a folder of others."""

    def killed(*_args: object, **_more: object) -> None:
        raise Killed

    folder.parent.mkdir()
    owner = os if step == "open" else Path
    with monkeypatch.context() as patch:
        # Locking opens a folder first.
        patch.setattr(owner, step, _after(os.open, killed) if step == "open" else killed)
        with pytest.raises(Killed):
            make(folder, "PEM\n")
    assert not folder.exists()
    make(folder, "PEM\n")
    for removing in ("rename", "unlink", "rmdir"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, removing, killed)
            with pytest.raises(Killed):
                make(folder)
        assert [path.name for path in folder.iterdir()] == ["localreg-docker.crt"] if folder.exists() else True
        make(folder, "PEM\n")
        assert [path.name for path in folder.parent.iterdir()] == [PLACE]
    make(folder)
    assert list(folder.parent.iterdir()) == []


def _after(first: Callable[..., int], then: Callable[..., object]) -> Callable[..., object]:
    calls = iter([first])

    def call(*arguments: object, **more: object) -> object:
        return next(calls, then)(*arguments, **more)

    return call
