"""`ls` of a large registry, compared with an earlier build, and with inspecting one tag after another."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.compare import Limit, Row, Target, compare
from bench.timed import Run, run
from support.engines.real import TESTER_UID, Bed
from support.registries.writer import LAYER, OCI_CONFIG, Writer

from localreg.oci.manifest import OCI_MANIFEST

REPOSITORIES = 300
MORE_REPOSITORIES = 1000
TAGS = 10
SAMPLE = 100
"""The number of tags the peer inspects; its time is scaled up to all tags."""

_REGISTRY = "127.0.0.1:5000"
_ALLOWED_MEGABYTES = 150
_FASTER = {"folder": 20, "exec": 8}
_ALLOWED_MORE = {"folder": 0.02, "exec": 0.05}
"""Seconds: a command in the container takes longer than the registry does to answer for ten tags."""
_WRITERS = 8


def measure(bed: Bed) -> Iterator[Row]:
    """Measure time and memory with a registry on this engine."""
    # As one who is in the group `docker`: may use the engine, but not read its volumes.
    bed.api.socket.chmod(0o666)
    ways = {"folder": bed, "exec": replace(bed, uid=TESTER_UID)}
    bed.ok("up", "--port", _REGISTRY.rpartition(":")[2])
    try:
        fill(range(REPOSITORIES))
        yield _peer(bed)
        for way, user in ways.items():
            yield from _earlier(way, user)
        fill(range(REPOSITORIES, MORE_REPOSITORIES))
        for way, user in ways.items():
            peak = _list(user).peak_bytes / 1e6
            case = f"{way}: `ls` of {MORE_REPOSITORIES:,} repositories with {TAGS} tags each: memory"
            yield Limit(case, [peak], _ALLOWED_MEGABYTES, "MB")
    finally:
        bed.ok("down", "--volumes")


def _peer(bed: Bed) -> Row:
    def peer() -> float:
        tags = list(itertools.product(range(REPOSITORIES), range(TAGS)))[:: REPOSITORIES * TAGS // SAMPLE]
        return sum(_inspect(bed, f"{_repository(i)}:{_tag(j)}") for i, j in tags) * REPOSITORIES * TAGS / len(tags)

    return compare(_case("folder"), lambda: _list(bed).seconds, "skopeo inspect", peer, Target(1 / 8))


def _earlier(way: str, user: Bed) -> Iterator[Row]:
    """Compare with the earlier build: all tags, and those of one repository."""
    folder = Path(os.environ["LOCALREG_EARLIER"])
    program, name = str(folder / "bin/localreg"), folder.name.replace("earlier-", "localreg of ")
    for case, patterns, target in (
        (_case(way), (), Target(1 / _FASTER[way])),
        (f"{way}: `ls` of one repository", (_repository(0),), Target(1, plus=_ALLOWED_MORE[way])),
    ):
        ours, theirs = (partial(_list, user, *patterns, program=chosen) for chosen in ("localreg", program))
        yield compare(case, _seconds(ours), name, _seconds(theirs), target)


def _seconds(measured: Callable[[], Run]) -> Callable[[], float]:
    return lambda: measured().seconds


def _case(way: str) -> str:
    return f"{way}: `ls` of {REPOSITORIES} repositories with {TAGS} tags each"


def _list(user: Bed, *patterns: str, program: str = "localreg") -> Run:
    command = (program, "--engine", user.engine, "ls", "--format", "table", *patterns)
    return run(user, *command, env={"COLUMNS": "200"})


def _inspect(bed: Bed, name: str) -> float:
    return run(bed, "skopeo", "inspect", "--tls-verify=false", f"docker://{_REGISTRY}/{name}").seconds


def _repository(number: int) -> str:
    return f"team-{number // 10:02}/app-{number:03}"


def _tag(number: int) -> str:
    return f"1.{number}.0"


def fill(numbers: Sequence[int]) -> None:
    """Fill repositories with distinct images."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(_fill_repository, numbers))


def _fill_repository(number: int) -> None:
    """Fill a repository: its tags share one layer, and each has its own config and manifest."""
    writer, repository = Writer(f"http://{_REGISTRY}"), _repository(number)
    layer = writer.blob(repository, f"layer of {repository}".encode() * 100, LAYER)
    for tag in map(_tag, range(TAGS)):
        config = {
            "os": "linux",
            "architecture": "amd64",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Labels": {"repository": repository, "tag": tag}},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": writer.blob(repository, json.dumps(config).encode(), OCI_CONFIG),
            "layers": [layer],
        }
        writer.manifest(repository, tag, manifest)
