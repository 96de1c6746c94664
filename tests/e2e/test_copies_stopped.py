"""Ctrl-C while `save` or `load` waits for a registry that hangs: a prompt end, and nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
from support.engines.oci_archives import OciArchive
from support.engines.real import Bed, docker_alone
from support.registries.shelf import Shelf
from support.registries.writer import Writer

from localreg.system.waiting import wait_until

pytestmark = docker_alone

PROMPT = 10.0
"""Seconds; a request that hangs lasts up to two minutes."""


def registry_process() -> psutil.Process:
    (found,) = [
        process for process in psutil.process_iter(["cmdline"]) if (process.info["cmdline"] or [])[1:2] == ["serve"]
    ]
    return found


def requests_of(process: psutil.Process) -> int:
    """Connections to the registry."""
    return sum(bool(each.raddr) and each.raddr.port == 5000 for each in process.net_connections())


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C; it ends soon, and says nothing."""
    process.send_signal(signal.SIGINT)
    assert process.wait(PROMPT) == 130
    assert process.stdout is not None
    assert process.stderr is not None
    assert (process.stdout.read(), process.stderr.read()) == (b"", b"")


def test_a_save_in_the_middle_of_a_layer(bed: Bed, folder: Path) -> None:
    bed.up()
    Shelf(Writer("http://127.0.0.1:5000"), "app").image("1", layers=[os.urandom(64 << 20)])
    registry = registry_process()
    archive, part = folder / "all.tar", folder / "all.tar.part"
    with bed.started("localreg", "--engine", bed.engine, "save", "-o", str(archive)) as save:
        while not part.exists():
            assert save.poll() is None
            time.sleep(0.001)
        registry.suspend()
        try:
            assert save.poll() is None
            interrupt(save)
        finally:
            registry.resume()
    assert list(folder.iterdir()) == []


def test_a_load_with_many_requests_under_way(bed: Bed, folder: Path) -> None:
    archive = OciArchive()
    image = archive.image()
    for number in range(30):
        archive.add(image, f"app-{number}:1")
    file = archive.write(folder / "all.tar")
    bed.up()
    registry = registry_process()
    registry.suspend()
    try:
        with bed.started("localreg", "--engine", bed.engine, "load", "-i", str(file)) as load:
            process = psutil.Process(load.pid)
            assert wait_until(lambda: requests_of(process) > 8, seconds=20)
            interrupt(load)
    finally:
        registry.resume()
    assert bed.ok("ls") == ""
