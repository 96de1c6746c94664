from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.engines.connections import CuttingProxy, at, listen
from support.engines.real import TESTER_UID, Bed, require_testbed


@pytest.fixture(autouse=True)
def _testbed() -> None:
    require_testbed()


@pytest.fixture
def read_only(folder: Path) -> Iterator[Path]:
    """A file system that nobody can write to, root neither."""
    place = folder / "read-only"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=777", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def unprivileged(bed: Bed, folder: Path) -> Iterator[tuple[Bed, dict[str, str]]]:
    """An engine that somebody drives who is not root, and the environment for it."""
    if bed.uid:
        yield bed, {}
        return
    path = folder / "docker.sock"
    with CuttingProxy(listen(path, TESTER_UID), bed.api.socket):
        yield replace(bed, uid=TESTER_UID), at(bed, f"unix://{path}")
