"""`tunnel`: speed compared with `ssh -R` by hand, time to recover, and resources while idle."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from bench.compare import Limit, Row, Target, compare
from support.engines.images import write_image
from support.engines.real import Bed
from support.tunnels.far_host import far_host
from support.tunnels.opened import NOTICING_SOON, PATIENCE, Tunnels, opened_tunnels, skopeo_push

from localreg.system.waiting import wait_until

_TARGET = Target(1 / 0.9)
_LAYER_BYTES = 250_000_000
_REMOTE_PORT = 5000
_PORT_BY_HAND = 5001
_ROUNDS_BACK = 5
_BACK_SECONDS = 3.0
_IDLE_SECONDS = 60
_IDLE_CPU_SECONDS = 0.1
_IDLE_MEGABYTES = 60


def measure(bed: Bed, folder: Path) -> Iterator[Row]:
    """Measure all of it; the engine plays no part."""
    with far_host(folder) as far, opened_tunnels(bed, far) as tunnels:
        tunnels.open(*NOTICING_SOON)
        yield _pushes(tunnels, folder)
        yield from _at_rest(tunnels, "open")
        yield _back(tunnels)
        far.kill_sshd()
        tunnels.becomes("waiting")
        yield from _at_rest(tunnels, "waiting for the remote machine")
    bed.ok("down", "--volumes")


def _pushes(tunnels: Tunnels, folder: Path) -> Row:
    archive = folder / "image.tar"
    numbers = itertools.count()

    def push_through(port: int) -> Callable[[], float]:
        def push() -> float:
            write_image(archive, "localhost/bench:1", {}, ballast=secrets.token_bytes(_LAYER_BYTES))
            # What the disk still has to write would count for whoever comes next.
            os.sync()
            command = tunnels.far.command(skopeo_push(archive, f"bench:{next(numbers)}", port=port))
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - began

        return push

    with _by_hand(tunnels):
        row = compare(
            "`push` of a layer of 250 MB through the tunnel",
            push_through(_REMOTE_PORT),
            "ssh -N -R",
            push_through(_PORT_BY_HAND),
            _TARGET,
        )
    archive.unlink()
    return row


@contextlib.contextmanager
def _by_hand(tunnels: Tunnels) -> Iterator[None]:
    """Run `ssh -N -R` by hand, as blog posts do."""
    forward = f"127.0.0.1:{_PORT_BY_HAND}:127.0.0.1:5000"
    command = ["ssh", "-N", "-i", str(tunnels.key), "-R", forward, tunnels.far.host]
    with subprocess.Popen(tunnels.bed.command(command)) as process:
        _expect(lambda: tunnels.far.answers(f"127.0.0.1:{_PORT_BY_HAND}"))
        yield
        process.terminate()


def _back(tunnels: Tunnels) -> Row:
    def seconds() -> float:
        with tunnels.dead_session():
            pass
        freed = time.perf_counter()
        _expect(tunnels.far.answers)
        passed = time.perf_counter() - freed
        tunnels.becomes("open")
        return passed

    case = "`tunnel`: answers again after a dead session held the remote port"
    return Limit(case, [seconds() for _ in range(_ROUNDS_BACK)], _BACK_SECONDS, "s")


def _at_rest(tunnels: Tunnels, state: str) -> Iterator[Row]:
    process = psutil.Process(tunnels.status()["pid"])
    before = _cpu_seconds(process)
    # Nothing is waited for: this is the minute that is measured.
    time.sleep(_IDLE_SECONDS)
    used = _cpu_seconds(process) - before
    resident = sum(one.memory_info().rss for one in (process, *process.children()))
    case = f"`tunnel`, one minute {state}"
    yield Limit(f"{case}: memory, with `ssh`", [resident / 1e6], _IDLE_MEGABYTES, "MB")
    yield Limit(f"{case}: CPU, with `ssh`", [used], _IDLE_CPU_SECONDS, "s")


def _cpu_seconds(process: psutil.Process) -> float:
    """Sum over a process and its children."""
    times = process.cpu_times()
    running = sum(sum(child.cpu_times()[:2]) for child in process.children())
    return times.user + times.system + times.children_user + times.children_system + running


def _expect(holds: Callable[[], bool]) -> None:
    if not wait_until(holds, seconds=PATIENCE):
        raise SystemExit("the tunnel is not in the state to measure")
