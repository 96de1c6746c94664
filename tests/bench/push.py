"""`push`, compared with the engine's own push, for an unchanged image and for a new one."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.compare import Row, Target, compare
from bench.timed import localreg, run
from support.engines.real import Bed

from localreg.oci.archive.write import ImageFile, written_archive

_REGISTRY = "localhost:5000"
_UNCHANGED = Target(1, plus=0.3)
_FIRST = Target(1.05, plus=0.3)
_ROUNDS_UNCHANGED = 15
_LAYER_BYTES = 250_000_000
_CHUNK = 1 << 20


def measure(bed: Bed, folder: Path) -> Iterator[Row]:
    """Measure both cases on one engine."""
    bed.ok("up", "--port", _REGISTRY.rpartition(":")[2])
    try:
        yield _unchanged(bed, folder)
        yield _first(bed, folder)
    finally:
        bed.ok("down", "--volumes")


def _unchanged(bed: Bed, folder: Path) -> Row:
    bed.add_image("bench:unchanged", folder)
    bed.ok("push", "bench:unchanged")
    return compare(
        f"{bed.name}: `push` of an unchanged image",
        lambda: localreg(bed, "push", "bench:unchanged").seconds,
        f"{bed.program} push",
        lambda: _push_by_hand(bed, f"{_REGISTRY}/bench:unchanged"),
        _UNCHANGED,
        rounds=_ROUNDS_UNCHANGED,
    )


def _first(bed: Bed, folder: Path) -> Row:
    numbers = itertools.count()

    def ours() -> float:
        name = f"bench/ours:{next(numbers)}"
        _load_random(bed, name, folder)
        seconds = localreg(bed, "push", name).seconds
        bed.engine_ok("rmi", name, f"{_REGISTRY}/{name}")
        return seconds

    def peer() -> float:
        name = f"{_REGISTRY}/bench/peer:{next(numbers)}"
        _load_random(bed, name, folder)
        seconds = _push_by_hand(bed, name)
        bed.engine_ok("rmi", name)
        return seconds

    return compare(
        f"{bed.name}: first `push` of a layer of 250 MB", ours, f"{bed.program} push", peer, _FIRST, warm_up=False
    )


def _push_by_hand(bed: Bed, name: str) -> float:
    """The engine's own push command; Podman needs a flag for plain HTTP, which localreg also passes."""
    told = ("--tls-verify=false",) if bed.program == "podman" else ()
    return run(bed, bed.program, "push", *told, name).seconds


def _load_random(bed: Bed, name: str, folder: Path) -> None:
    """Build an image with a layer that no registry has and no engine has ever pushed."""
    layer, archive = folder / "layer", folder / "image.tar"
    with layer.open("wb") as file:
        for _ in range(_LAYER_BYTES // _CHUNK):
            file.write(secrets.token_bytes(_CHUNK))
    with written_archive([ImageFile("data", layer)], config={}, name=name) as written:
        shutil.copyfile(written, archive)
    layer.unlink()
    bed.api.load(archive)
    archive.unlink()
    # Write to disk now, so that it does not slow down the next run.
    os.sync()
