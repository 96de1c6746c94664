"""A registry that hangs or has no room: the cause is said, in the time that the product promises."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.connections import CuttingProxy, at, listen
from support.engines.real import Bed
from support.faults.table import Fault, fault

from localreg.images.watchdog import LOOK_SECONDS, PATIENCE_SECONDS
from localreg.oci.archive.write import ImageFile, written_archive


def add_random_image(bed: Bed, folder: Path, size: int) -> None:
    file = folder / "image.tar"
    content = [ImageFile("data", os.urandom(size))]
    with written_archive(content, config={"Cmd": ["/x"]}, name="localhost/app:1") as archive:
        shutil.copyfile(archive, file)
    file.chmod(0o644)
    bed.api.load(file)


@fault(
    "registry-frozen-push",
    "push localhost/app:1",
    code="registry-unreachable",
    facts=["localhost:5000", " logs\n"],
    seconds=PATIENCE_SECONDS,
)
@pytest.mark.waits
def test_a_push_to_a_frozen_registry_is_given_up(bed: Bed, folder: Path, shown: Fault) -> None:
    add_random_image(bed, folder, 1 << 20)
    bed.up()
    bed.engine_ok("kill", "-s", "STOP", "registry")
    before = bed.images()
    began = time.monotonic()
    shown.begin(bed).end()
    # Engines may take a while to begin, and the test's machine too.
    assert PATIENCE_SECONDS - LOOK_SECONDS < time.monotonic() - began < 60
    assert bed.images() == before
    bed.engine_ok("kill", "-s", "CONT", "registry")
    bed.push("localhost/app:1")


@fault("push-stuck-once", "push localhost/app:1", facts=["/app:1@sha256:"], seconds=PATIENCE_SECONDS)
@pytest.mark.waits
def test_a_stuck_push_is_started_once_more(rootless: Bed, folder: Path, shown: Fault) -> None:
    add_random_image(rootless, folder, 1 << 20)
    port = rootless.ok("up", "--quiet").strip().rpartition(":")[2]
    path = folder / "podman.sock"
    # As an engine asks before it sends a blob.
    ask = functools.partial(rootless.run, "curl", "-sI", f"http://localhost:{port}/v2/app/blobs/sha256:{'0' * 64}")
    began = time.monotonic()
    with CuttingProxy(listen(path, rootless.uid), rootless.api.socket, hold_at=b"/push?", on_hold=ask):
        shown.by(rootless, env=at(rootless, f"unix://{path}"))
        assert time.monotonic() - began > PATIENCE_SECONDS


@contextlib.contextmanager
def narrowed(device: str) -> Iterator[None]:
    """A network device lets no more than 1 MB a second through."""
    shape = ["root", "tbf", "rate", "8mbit", "burst", "64kb", "latency", "400ms"]
    subprocess.run(["tc", "qdisc", "add", "dev", device, *shape], check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "delete", "dev", device, "root"], check=True)


@pytest.mark.waits
def test_a_push_that_is_slow_is_left_alone(rootful: Bed, folder: Path) -> None:
    """Podman says nothing of a layer on its way."""
    add_random_image(rootful, folder, 30 * 10**6)
    rootful.up()
    with narrowed("podman0"):
        began = time.monotonic()
        rootful.push("localhost/app:1")
    assert time.monotonic() - began > PATIENCE_SECONDS + 2 * LOOK_SECONDS
    # A layer and a configuration.
    assert rootful.ok("logs").count('"POST /v2/app/blobs/uploads/ ') == 2


@pytest.fixture
def small_folder(bed: Bed) -> Iterator[Path]:
    """A folder with room for little, mounted where the bed's containers see it."""
    path = bed.home / "small"
    # Rootless Podman has mounts of its own.
    within = ["podman", "unshare"] if bed.uid else []
    for command in (["mkdir", str(path)], [*within, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]):
        assert bed.run(*command).returncode == 0
    yield path
    bed.localreg("down", "--volumes")
    assert bed.run(*within, "umount", str(path)).returncode == 0
    path.rmdir()


@fault(
    "registry-disk-full",
    "push localhost/app:1",
    code="registry-failed",
    facts=["`localhost:5000/app:1`", "no space left on device", "{storage}"],
)
def test_a_push_to_a_registry_whose_disk_is_full(bed: Bed, folder: Path, small_folder: Path, shown: Fault) -> None:
    add_random_image(bed, folder, 16 << 20)
    bed.ok("up", "--volume", str(small_folder))
    shown.by(bed, storage=small_folder)


# Docker tries five times, for a minute.
@fault(
    "registry-folder-not-writable",
    "push localhost/app:1",
    code="registry-failed",
    facts=["`localhost:5000/app:1`", "permission denied", "write to {storage}"],
    kept="podman-rootless",
)
def test_a_push_to_a_registry_that_may_not_write_to_its_folder(rootless: Bed, folder: Path, shown: Fault) -> None:
    add_random_image(rootless, folder, 1 << 20)
    storage = folder / "storage"
    storage.mkdir(mode=0o755)
    rootless.ok("up", "--volume", str(storage))
    shown.by(rootless, storage=storage)


# Docker tries five times, for a minute.
@fault("registry-cannot-store", "push localhost/app:1", code="registry-failed", facts=["not a directory"], kept=None)
def test_a_failure_whose_cause_is_in_the_registrys_log(rootless: Bed, folder: Path, shown: Fault) -> None:
    add_random_image(rootless, folder, 1 << 20)
    rootless.up()
    rootless.engine_ok(
        "exec", "registry", "/bin/sh", "-c", "rm -rf /var/lib/registry/docker; echo >/var/lib/registry/docker"
    )
    shown.by(rootless)
