"""`inspect` of an index with attestations, a signature and SBOMs, as BuildKit, cosign and oras push them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial

import pytest
from support import schemas
from support.engines.real import Bed, docker_alone, on_every_engine
from support.registries.shelf import BASE, Shelf
from support.registries.writer import Writer

from localreg.content.inspect import Inspected, Inspector
from localreg.oci.api import RegistryClient
from localreg.registry.container import DATA_FOLDER
from localreg.registry.running import get_running_registry
from localreg.registry.volume import WritableVolume, open_volume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_shell import ExecVolume


@pytest.fixture
def index(bed: Bed) -> str:
    """The digest of an index in the registry of a real engine."""
    bed.up()
    with bed.opened() as engine:
        writer = Writer(get_running_registry(engine, "registry").get_url())
    shelf = Shelf(writer, "team/api")
    index = shelf.index("1", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    shelf.sbom(index, listed=False)
    Shelf(writer, "web").image("1", layers=[BASE, b"web"])
    return str(index["digest"])


@on_every_engine
def test_all_of_an_index_is_shown(bed: Bed, index: str) -> None:
    found = schemas.check("inspect", bed.ok("inspect", "team/api:1", "--json"))["results"][0]
    assert (found["digest"], found["kind"], found["platforms"]) == (index, "index", ["linux/amd64", "linux/arm64"])
    assert found["same_as"] == ["team/api:latest"]
    assert found["pushed"] is not None
    assert [one["layers"][0]["shared_with"] for one in found["manifests"]] == [["web:1"], ["web:1"]]
    assert [one["problems"] for one in found["manifests"]] == [[], []]
    assert [one["subject"] for one in found["attestations"]] == [one["digest"] for one in found["manifests"]]
    stem = index.replace(":", "-")
    assert {(one["kind"], one["tag"]) for one in found["referrers"]} == {
        ("signature", f"{stem}.sig"),
        ("SBOM", stem),
        ("SBOM", None),
    }
    # As a stranger's tools do: the digest of the bytes, and a cut digest.
    raw = bed.ok("inspect", "team/api:1", "--raw")
    assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == index
    config = json.loads(bed.ok("inspect", "team/api:1", "--platform", "linux/arm64", "--config"))
    assert config["architecture"] == "arm64"
    unlisted = next(one["digest"] for one in found["referrers"] if one["tag"] is None)
    assert bed.ok("inspect", f"team/api@{unlisted[7:19]}", "-q") == f"localhost:5000/team/api@{unlisted}\n"


@docker_alone
def test_the_volume_tells_the_same_as_the_registry(bed: Bed, index: str) -> None:
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        folder = open_volume(engine, registry)
        assert isinstance(folder, FolderVolume)
        shell = ExecVolume(partial(engine.run_in_container, registry.container.id), DATA_FOLDER)

        def inspected(name: str, volume: WritableVolume | None, *, by_http: bool) -> Inspected:
            with RegistryClient(registry.get_url()) as client:
                inspector = Inspector(registry, client if by_http else None, volume)
                found = inspector.inspect(inspector.find(name))
            # The registry sends the media type, which its volume does not have.
            stored = replace(found.found.stored, media_type=found.media_type)
            return replace(found, found=replace(found.found, stored=stored))

        for name in ("team/api:1", f"team/api@{index}", "web:1"):
            wanted = inspected(name, folder, by_http=True)
            assert inspected(name, shell, by_http=True) == wanted
            assert inspected(name, folder, by_http=False) == wanted
            assert inspected(name, shell, by_http=False) == wanted
            alone = inspected(name, None, by_http=True)
            # No tag leads to the SBOM that is not listed.
            listed = tuple(one for one in wanted.referrers if one.tag)
            assert alone == replace(wanted, pushed=None, referrers=listed)
