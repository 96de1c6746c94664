"""`save`, `load` and `copy` of a registry, compared with skopeo."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.compare import Row, Target, compare
from bench.timed import localreg, run
from support.engines.real import Bed
from support.registries.writer import LAYER, OCI_CONFIG, Writer

from localreg.oci.manifest import OCI_MANIFEST

IMAGES = 40
LAYERS = 5
LAYER_BYTES = 10_000_000
_ROUNDS = 3
_REPOSITORY = "team/app"
_HERE = "localhost:5000"
_THERE = "localhost:5001"
_PLAIN = ("--src-tls-verify=false", "--dest-tls-verify=false")


def measure(bed: Bed, folder: Path) -> Iterator[Row]:
    """Measure each direction on one engine."""
    work = folder / "archives"
    bed.ok("up", "--port", _port(_HERE))
    try:
        _fill(IMAGES)
        archive, most = work / "all.tar", work / "most.tar"
        work.mkdir()
        bed.ok("save", "-o", str(most), *(f"{_REPOSITORY}:{_tag(number)}" for number in range(IMAGES * 9 // 10)))
        yield from _saving(bed, work, archive)
        yield from _copying(bed)
        yield from _loading(bed, work, archive)
        yield _loading_most(bed, archive, most)
    finally:
        bed.run("localreg", "--engine", bed.engine, "--name", "there", "down", "--volumes")
        bed.ok("down", "--volumes")
        shutil.rmtree(work, ignore_errors=True)


def _saving(bed: Bed, work: Path, archive: Path) -> Iterator[Row]:
    def ours() -> float:
        archive.unlink(missing_ok=True)
        return _settled(lambda: localreg(bed, "save", "-o", str(archive)).seconds)

    def copies() -> float:
        shutil.rmtree(work / "copies", ignore_errors=True)
        (work / "copies").mkdir()
        return _settled(lambda: sum(_copy(bed, _remote(_HERE, tag), _archived(work, tag)) for tag in _tags()))

    def sync() -> float:
        shutil.rmtree(work / "sync", ignore_errors=True)
        return _settled(partial(_sync, bed, "docker", f"{_HERE}/{_REPOSITORY}", "dir", str(work / "sync")))

    yield _row("`save` of 40 images, 2 GB", ours, "skopeo copy", copies)
    yield _row("`save` of 40 images, 2 GB", ours, "skopeo sync", sync)


def _loading(bed: Bed, work: Path, archive: Path) -> Iterator[Row]:
    def ours() -> float:
        _empty(bed)
        return _settled(lambda: localreg(bed, "load", "-i", str(archive)).seconds)

    def copies() -> float:
        _empty(bed)
        return _settled(lambda: sum(_copy(bed, _archived(work, tag), _remote(_HERE, tag)) for tag in _tags()))

    def sync() -> float:
        _empty(bed)
        return _settled(partial(_sync, bed, "dir", str(work / "sync"), "docker", f"{_HERE}/team"))

    yield _row("`load` of 40 images, 2 GB", ours, "skopeo copy", copies)
    yield _row("`load` of 40 images, 2 GB", ours, "skopeo sync", sync)


def _loading_most(bed: Bed, archive: Path, most: Path) -> Row:
    def after_most() -> float:
        _empty(bed)
        bed.ok("load", "-i", str(most))
        return _settled(lambda: localreg(bed, "load", "-i", str(archive)).seconds)

    def into_empty() -> float:
        _empty(bed)
        return _settled(lambda: localreg(bed, "load", "-i", str(archive)).seconds)

    case = "`load` into a registry that has nine tenths of it"
    return _row(case, after_most, "load into an empty one", into_empty, Target(1 / 5))


def _copying(bed: Bed) -> Iterator[Row]:
    def ours() -> float:
        _empty(bed, "there", _THERE)
        return _settled(lambda: localreg(bed, "copy", "--all", _REPOSITORY, f"{_THERE}/{_REPOSITORY}").seconds)

    def sync() -> float:
        _empty(bed, "there", _THERE)
        return _settled(partial(_sync, bed, "docker", f"{_HERE}/{_REPOSITORY}", "docker", f"{_THERE}/team"))

    yield _row("`copy` of 40 images, 2 GB, to another registry", ours, "skopeo sync", sync)


def _row(
    case: str, ours: Callable[[], float], command: str, peer: Callable[[], float], target: Target | None = None
) -> Row:
    return compare(case, ours, command, peer, target or Target(1.0), rounds=_ROUNDS, warm_up=False)


def _settled(measured: Callable[[], float]) -> float:
    """Write what came before to the disk first, so that it does not slow this down."""
    os.sync()
    return measured()


def _empty(bed: Bed, name: str = "registry", place: str = _HERE) -> None:
    bed.run("localreg", "--engine", bed.engine, "--name", name, "down", "--volumes")
    bed.ok("--name", name, "up", "--port", _port(place))


def _copy(bed: Bed, source: str, target: str) -> float:
    return run(bed, "skopeo", "copy", "--all", *_PLAIN, source, target).seconds


def _sync(bed: Bed, source_kind: str, source: str, target_kind: str, target: str) -> float:
    return run(bed, "skopeo", "sync", *_PLAIN, "--src", source_kind, "--dest", target_kind, source, target).seconds


def _remote(place: str, tag: str) -> str:
    return f"docker://{place}/{_REPOSITORY}:{tag}"


def _archived(work: Path, tag: str) -> str:
    return f"oci-archive:{work}/copies/{tag}.tar:{_REPOSITORY}:{tag}"


def _tags() -> list[str]:
    return [_tag(number) for number in range(IMAGES)]


def _tag(number: int) -> str:
    return f"1.{number}.0"


def _port(place: str) -> str:
    return place.rpartition(":")[2]


def _fill(count: int) -> None:
    """Images that share nothing, of layers that cannot be compressed."""
    writer = Writer(f"http://{_HERE}")
    for number in range(count):
        config = {"os": "linux", "architecture": "amd64", "config": {"Labels": {"number": str(number)}}}
        layers = [writer.blob(_REPOSITORY, os.urandom(LAYER_BYTES), LAYER) for _ in range(LAYERS)]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": writer.blob(_REPOSITORY, json.dumps(config).encode(), OCI_CONFIG),
            "layers": layers,
        }
        writer.manifest(_REPOSITORY, _tag(number), manifest)
