"""What the contract suite needs of an engine: the fake, and the real ones behind a connection that can be cut."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.engines.fake import FakeEngine
from support.engines.real import BEDS, Bed

from localreg.engines.docker.engine import DockerEngine
from localreg.engines.podman.engine import PodmanEngine
from localreg.engines.port import Engine
from localreg.engines.values import Endpoint

_LATER = 0.25
"""Longer than progress on a terminal is drawn anew, in seconds."""
_UPGRADE = b"Upgrade: tcp\r\n"


@dataclass(frozen=True)
class Bench:
    """An engine under test."""

    engine: Engine
    cut: Callable[[], None]
    """Break its connection, as if the engine were killed."""
    location: str
    """A registry that answers."""
    add_network: Callable[[str], object]
    """Make a network, which lasts as long as the test."""


@contextlib.contextmanager
def fake_bench() -> Iterator[Bench]:
    engine = FakeEngine()
    engine.registries["localhost:5999"] = {}
    engine.files = {"/bin/busybox": Path(str(shutil.which("busybox")))}
    yield Bench(engine, engine.lost.set, "localhost:5999", engine.networks.add)


@contextlib.contextmanager
def real_bench(name: str, folder: Path, location: str) -> Iterator[Bench]:
    bed = BEDS[name]
    with _without_leftovers(), CuttingProxy(listen(folder / "proxy.sock", bed.uid), bed.api.socket) as proxy:
        endpoint = Endpoint(f"unix://{folder}/proxy.sock")
        engine: Engine = DockerEngine.open(endpoint) if bed.program == "docker" else PodmanEngine.open(endpoint)
        with engine:
            yield Bench(engine, proxy.cut, location, bed.add_network)


@contextlib.contextmanager
def _without_leftovers() -> Iterator[None]:
    """Collect what a broken connection left behind, here and not in a later test, which would be warned of it."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


def at(bed: Bed, url: str) -> dict[str, str]:
    """An environment that names a bed's engine."""
    return {"DOCKER_HOST" if bed.program == "docker" else "CONTAINER_HOST": url}


def listen(path: Path, uid: int) -> socket.socket:
    """A socket that listens at a path, and belongs to a user."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(64)
    os.chown(path, uid, uid)
    path.chmod(0o600)
    return server


class CuttingProxy:
    """Stands between a client and its engine, and cuts every connection when told to.

    Args:
        server: Where it listens.
        target: The engine's socket.
        cut_at: A request with these bytes is the last that goes through; no answer to it comes back.
        hold_at: The first request with these bytes goes nowhere: whoever made it waits for an answer.
        on_hold: Called when it came.
        slow_at: Lines of an answer with these bytes come one at a time, so that each can be seen.
        upgrades: The engine sees that a request asks to upgrade the connection. If not, an answer ends what goes there.
    """

    def __init__(
        self,
        server: socket.socket,
        target: Path,
        *,
        cut_at: bytes | None = None,
        hold_at: bytes | None = None,
        on_hold: Callable[[], object] = lambda: None,
        slow_at: bytes | None = None,
        upgrades: bool = True,
    ) -> None:
        self._server = server
        self._target = target
        self._cut_at = cut_at
        self._hold_at = hold_at
        self._on_hold = on_hold
        self._slow_at = slow_at
        self._upgrades = upgrades
        self._asked: set[socket.socket] = set()
        self._answered: set[socket.socket] = set()
        self._hold_lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_cut = False

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def _begin(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(self, *exc_info: object) -> None:
        self.cut()
        # Closing alone does not wake the thread that waits in `accept`.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._server, *self._ends):
            end.close()

    def cut(self) -> None:
        self._is_cut = True
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                self._ends += [near, far]
                if self._is_cut:
                    self.cut()
                    continue
                far.connect(str(self._target))
                self._begin(self._copy, near, far)
                self._begin(self._copy, far, near)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._is_held(data) or source in self._answered:
                    continue
                if not self._upgrades and _UPGRADE in data:
                    data = data.replace(_UPGRADE, b"")
                    self._asked.add(source)
                if sink in self._asked:
                    self._answered.add(sink)
                if self._is_cut:
                    break
                if self._cut_at is not None and self._cut_at in data:
                    # Set before the request is sent: on a busy machine the engine may answer before `cut` runs.
                    self._is_cut = True
                    sink.sendall(data)
                    self.cut()
                    break
                for line in self._lines_of(data):
                    sink.sendall(line)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _lines_of(self, data: bytes) -> Iterator[bytes]:
        """The data, the slow lines of it each after a while."""
        if self._slow_at is None or self._slow_at not in data:
            yield data
            return
        for line in data.splitlines(keepends=True):
            if self._slow_at in line:
                time.sleep(_LATER)
            yield line

    def _is_held(self, data: bytes) -> bool:
        with self._hold_lock:
            if self._hold_at is None or self._hold_at not in data:
                return False
            self._hold_at = None
        self._on_hold()
        return True
