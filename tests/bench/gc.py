"""`gc`: how fast it marks, what pushes beside it wait for, and what each way to collect costs in tags."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pytest
from bench import listing
from bench.compare import Row, Target, compare
from bench.timed import run
from support.engines.real import BEDS, Bed, free_port
from support.registries.churn import Outcome, churning

from localreg.content import gc
from localreg.content.collected import Collected, Waste
from localreg.content.collector import Collector
from localreg.content.gc import GcOptions
from localreg.content.in_use import InUse, in_use_by
from localreg.oci.ping import is_ready
from localreg.registry.distribution_log import iter_requests
from localreg.registry.running import get_running_registry
from localreg.registry.volume_folder import FolderVolume
from localreg.system.waiting import wait_until

SECONDS = 120
"""How long clients push beside each strategy."""
HEADINGS = (
    "strategy",
    "collections",
    "pushes",
    "refused",
    "no connection",
    "blobs collected",
    "put back",
    "p99 of a push",
    "not whole for",
    "tags corrupt at the end",
)
_ROUNDS = 3
_ROUND_SECONDS = 30
_URL = "http://localhost:5000"
_PAUSE = 0.2
"""Seconds between two collections."""
_GRACE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Strategy:
    """What clients saw beside a way to collect."""

    name: str
    collections: int
    """Those that found waste."""
    blobs: int
    put_back: int
    seen: Outcome
    is_ours: bool
    """No tag may be corrupt at the end."""

    @property
    def is_met(self) -> bool:
        return not (self.is_ours and self.seen.broken)

    def cells(self) -> tuple[str, ...]:
        corrupt = len({problem.split(" ", 1)[0] for problem in self.seen.broken})
        return (
            self.name,
            f"{self.collections}",
            f"{self.seen.pushes:,}",
            f"{sum(self.seen.refused.values()):,}",
            f"{self.seen.connection_errors:,}",
            f"{self.blobs:,}",
            f"{self.put_back:,}",
            f"{p99(self.seen) * 1000:.0f} ms",
            f"{max(self.seen.moments, default=0) * 1000:.0f} ms",
            f"**{corrupt} of {self.seen.tags}**" if corrupt else f"0 of {self.seen.tags}",
        )


def measure(bed: Bed) -> Iterator[Row]:
    """Measure how fast 10,000 manifests are marked, and pushes with and without a collection beside them."""
    bed.ok("up")
    try:
        for way in ("folder", "exec"):
            yield from _compare_pushes(bed, way)
        bed.ok("down", "--volumes")
        bed.ok("up")
        listing.fill(range(listing.MORE_REPOSITORIES))
        # With an empty log: most registries did not receive all of it in the last minutes.
        bed.ok("down")
        bed.ok("up")
        for way in ("folder", "exec"):
            case = f"{way}: `gc --dry-run` of {listing.MORE_REPOSITORIES * listing.TAGS:,} manifests"
            ours = partial(_mark, bed, way)
            yield compare(case, ours, "registry garbage-collect --dry-run", partial(_distributions, bed), Target(1 / 2))
    finally:
        bed.ok("down", "--volumes")


def strategies(seconds: float = SECONDS) -> Iterator[Strategy]:
    """Let clients push beside each way to collect, and read all their tags at the end."""
    for cache in ("inmemory", "none"):
        with _Distribution(cache) as registry:
            yield _churn(f"no collection, cache `{cache}`", registry.url, None, seconds)
        with _Distribution(cache) as registry:
            name = f"`registry garbage-collect` beside it, cache `{cache}`"
            yield _churn(name, registry.url, registry.collect_its_own, seconds)
        with _Distribution(cache) as registry:
            collect = partial(registry.collect, _GRACE)
            name = f"quarantine, grace 2 s, cache `{cache}`"
            yield _churn(name, registry.url, collect, seconds, is_ours=cache == "none")
    with _Distribution("none") as registry:
        collect = partial(registry.collect, gc.NOW)
        yield _churn("quarantine, grace 0, cache `none`", registry.url, collect, seconds, is_ours=True)
    with _Distribution("inmemory") as registry:
        name = "stop, collect, start, cache `inmemory`"
        yield _churn(name, registry.url, registry.collect_stopped, seconds, is_ours=True)
    for bed, way in product(("docker", "podman-rootless"), ("folder", "exec", "helper")):
        BEDS[bed].ok("up")
        try:
            collect = partial(_by_engine, BEDS[bed], way)
            yield _churn(f"`localreg gc`, {bed}, {way}", _URL, collect, seconds, is_ours=True)
        finally:
            BEDS[bed].ok("down", "--volumes")


def p99(seen: Outcome, *, sends: bool = True) -> float:
    """The 99th percentile of the seconds of a push.

    Args:
        seen: What clients saw.
        sends: Count the pushes that had to send a layer as well: beside a collection, there are more of them.
    """
    ordered = sorted(seconds for seconds, sent in zip(seen.seconds, seen.sent, strict=True) if sends or not sent)
    return ordered[len(ordered) * 99 // 100] if ordered else 0.0


class _Distribution:
    """A registry that runs as a process."""

    def __init__(self, cache: str) -> None:
        self._program = os.environ["LOCALREG_TEST_REGISTRY"]
        self._cache = cache
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory()
        self._root, self._log = (Path(self._folder.name) / name for name in ("registry", "log"))
        self._config = Path(self._folder.name) / "config.yml"
        cache = f", cache: {{blobdescriptor: {self._cache}}}" if self._cache != "none" else ""
        storage = f"filesystem: {{rootdirectory: {self._root}}}, delete: {{enabled: true}}{cache}"
        self._config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{{storage}}}\nhttp: {{addr: '127.0.0.1:{self._port}'}}\n"
        )
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "serve", self._config], stdout=log, stderr=log)
        assert wait_until(lambda: is_ready(self.url), seconds=20)

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def collect_its_own(self) -> Collected:
        """Collect with Distribution's own collector, which is not meant to run beside pushes."""
        command = [self._program, "garbage-collect", str(self._config)]
        # It fails where something vanishes; what it deleted until then counts.
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        blobs = dict.fromkeys(re.findall(r"blob eligible for deletion: (\S+)", said), 0)
        return Collected(Waste(blobs=blobs))

    def collect(self, grace: timedelta, *, runs: bool = True) -> Collected:
        """Collect as localreg does."""
        return Collector(FolderVolume(self._root), in_use=self._in_use, runs=runs).collect(grace=grace)

    def collect_stopped(self) -> Collected:
        """Collect while it is stopped."""
        self._stop()
        done = self.collect(gc.NOW, runs=False)
        self._start()
        return done

    def _in_use(self) -> InUse:
        return in_use_by(iter_requests(self._log.read_bytes()))


def _churn(
    name: str, url: str, collect: Callable[[], Collected] | None, seconds: float, *, is_ours: bool = False
) -> Strategy:
    collections = blobs = put_back = 0
    end = time.monotonic() + seconds
    with churning(url) as churn:
        while time.monotonic() < end:
            if collect is not None:
                done = collect()
                # One that finds nothing old enough to move meets no push.
                collections += bool(done.waste.blobs)
                blobs += len(done.waste.blobs)
                put_back += done.put_back
            time.sleep(_PAUSE)
        return Strategy(name, collections, blobs, put_back, churn.end(), is_ours)


def _compare_pushes(bed: Bed, way: str) -> Iterator[Row]:
    """What pushes wait for: all of them, and those that send no layer, of which there are fewer beside a collection."""
    kept: dict[bool, list[Outcome]] = {True: [], False: []}

    def push(*, beside: bool) -> float:
        kept[beside].append(_churn("", _URL, partial(_by_engine, bed, way) if beside else None, _ROUND_SECONDS).seen)
        return p99(kept[beside][-1])

    def look_again(*, beside: bool) -> float:
        return p99(kept[beside].pop(0), sends=False)

    for what, measured in (("a push", push), ("a push that sends no layer", look_again)):
        case = f"{way}: 99th percentile of {what} beside `gc` after `gc`"
        beside, alone = partial(measured, beside=True), partial(measured, beside=False)
        yield compare(case, beside, "no gc", alone, Target(1.5), rounds=_ROUNDS, warm_up=False)


def _by_engine(bed: Bed, way: str) -> Collected:
    """Collect as the command does, in this process."""
    with bed.opened() as engine, bed.acting(), _way(way):
        return gc.collect(engine, get_running_registry(engine, "registry"), GcOptions(_GRACE))


@contextlib.contextmanager
def _way(way: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if way != "folder":
            # As for one who may not read it.
            patch.setattr(gc, "open_folder", lambda *_, **__: None)
        if way == "helper":
            # As for an image without a shell.
            patch.setattr(gc, "has_shell", lambda *_: False)
        yield


def _mark(bed: Bed, way: str) -> float:
    """Look at the registry, without the start of Python."""
    with bed.opened() as engine, _way(way):
        began = time.perf_counter()
        gc.look(engine, get_running_registry(engine, "registry"), GcOptions())
        return time.perf_counter() - began


def _distributions(bed: Bed) -> float:
    """Distribution's own dry run over the same volume."""
    root = bed.engine_ok("volume", "inspect", "--format", "{{.Mountpoint}}", "localreg-registry").strip()
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.yml"
        config.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}}}}}\n")
        command = (os.environ["LOCALREG_TEST_REGISTRY"], "garbage-collect", "--dry-run", str(config))
        return run(bed, *command).seconds
