"""`ls` of a large registry, compared with inspecting one tag after another."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.compare import Limit, Row, Target, compare
from bench.timed import Run, localreg, run
from support.engines.real import Bed
from support.registries.writer import LAYER, OCI_CONFIG, Writer

from localreg.oci.manifest import OCI_MANIFEST

REPOSITORIES = 300
TAGS = 10
SAMPLE = 100
"""The number of tags the peer inspects; its time is scaled up to all tags."""

_REGISTRY = "127.0.0.1:5000"
_ALLOWED_MEGABYTES = 150
_WRITERS = 8


def measure(bed: Bed) -> Iterator[Row]:
    """Measure time and memory with a registry on this engine."""
    bed.ok("up", "--port", _REGISTRY.rpartition(":")[2])
    try:
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(_fill, range(REPOSITORIES)))
        yield from _compare(bed)
    finally:
        bed.ok("down", "--volumes")


def _compare(bed: Bed) -> Iterator[Row]:
    runs: list[Run] = []

    def ours() -> float:
        runs.append(localreg(bed, "ls", "--format", "table", env={"COLUMNS": "200"}))
        return runs[-1].seconds

    def peer() -> float:
        tags = list(itertools.product(range(REPOSITORIES), range(TAGS)))[:: REPOSITORIES * TAGS // SAMPLE]
        return sum(_inspect(bed, f"{_repository(i)}:{_tag(j)}") for i, j in tags) * REPOSITORIES * TAGS / len(tags)

    case = f"`ls` of {REPOSITORIES} repositories with {TAGS} tags each"
    yield compare(case, ours, "skopeo inspect", peer, Target(1 / 8))
    yield Limit(f"{case}: memory", [found.peak_bytes / 1e6 for found in runs], _ALLOWED_MEGABYTES, "MB")


def _inspect(bed: Bed, name: str) -> float:
    return run(bed, "skopeo", "inspect", "--tls-verify=false", f"docker://{_REGISTRY}/{name}").seconds


def _repository(number: int) -> str:
    return f"team-{number // 10:02}/app-{number:03}"


def _tag(number: int) -> str:
    return f"1.{number}.0"


def _fill(number: int) -> None:
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
