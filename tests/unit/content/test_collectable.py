"""Which registries garbage collection leaves alone, and which it stops."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.content.collectable import check_collectable, check_stores_here, must_stop
from localreg.content.gc import GcOptions, collect
from localreg.engines.values import AnonymousMount, ContainerSpec, EngineInfo, HostPathMount, Mount, VolumeMount
from localreg.errors import ConflictError, EngineError, LocalregError, NotOursError
from localreg.oci.manifest import OCI_MANIFEST
from localreg.registry.container import DATA_FOLDER, Registry, volume_labels
from localreg.registry.defaults import DEFAULT_IMAGE
from localreg.registry.distribution_settings import settings_of
from localreg.registry.helper import find_helper
from localreg.registry.volume import open_volume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_layout import Links
from localreg.registry.volume_shell import ExecVolume
from localreg.system.address import Address

CACHE = "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR"
IMAGE = f"docker.io/library/{DEFAULT_IMAGE}"


@pytest.fixture(autouse=True)
def _runtime_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))


def started(engine: FakeEngine, fake: FakeRegistry | None = None, /, **values: object) -> Registry:
    """A running registry of localreg's, without a cache."""
    engine.add_image(IMAGE)
    port = int(fake.base_url.rpartition(":")[2]) if fake else 5999
    created = engine.create_container(
        ContainerSpec(
            **{  # type: ignore[arg-type]  # each test gives what fits
                "name": "registry",
                "image": IMAGE,
                "container_port": 5000,
                "publish": Address("127.0.0.1", port),
                "mount": VolumeMount("data", DATA_FOLDER),
                "labels": volume_labels("registry"),
                "environment": {CACHE: "none"},
                **values,
            }
        )
    )
    engine.start_container(created.id)
    found = engine.find_container(created.id)
    assert found is not None
    return Registry(found)


def beside(engine: FakeEngine, mount: Mount, *, name: str = "other") -> None:
    """Another container that runs."""
    engine.add_image("busybox")
    engine.start_container(engine.create_container(ContainerSpec(name, "busybox", mount=mount)).id)


def refusal(
    engine: FakeEngine,
    registry: Registry,
    *,
    file: str | None = None,
    force: bool = False,
    others: Sequence[FakeEngine] = (),
) -> LocalregError | None:
    settings = settings_of(registry.container.environment, file)
    try:
        check_collectable(engine, registry, settings, force=force, others=others)
    except LocalregError as exc:
        return exc
    return None


def test_localregs_own_is_collected() -> None:
    engine = FakeEngine()
    assert refusal(engine, started(engine)) is None


def test_anothers_is_collected_by_force_alone(registry: FakeRegistry) -> None:
    engine = FakeEngine()
    found = started(engine, registry, labels={})
    refused = refusal(engine, found)
    assert isinstance(refused, NotOursError)
    assert refused.hint == "localreg gc --force"
    assert refusal(engine, found, force=True) is None


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("proxy:\n  remoteurl: https://registry-1.docker.io\n", "cache of registry-1.docker.io"),
        ("storage:\n  s3:\n    bucket: b\n", "storage driver `s3`"),
        ("storage:\n  cache:\n    blobdescriptor: redis\n  filesystem:\n", "cache in Redis"),
    ],
)
def test_a_cache_and_an_object_store_are_left_alone(file: str, words: str) -> None:
    engine = FakeEngine()
    refused = refusal(engine, started(engine, environment={}), file=file)
    assert isinstance(refused, ConflictError)
    assert words in refused.message
    assert refused.hint


def test_a_cache_whose_configuration_cannot_be_read_tells_it_itself(registry: FakeRegistry) -> None:
    registry.refuses_pushes = b'{"errors": [{"code": "UNSUPPORTED"}]}'
    engine = FakeEngine()
    refused = refusal(engine, started(engine, registry, labels={}), force=True)
    assert refused is not None
    assert "cache of another registry" in refused.message


@pytest.mark.parametrize(
    ("own", "others", "is_shared"),
    [
        (VolumeMount("data", DATA_FOLDER), VolumeMount("data", "/backup"), True),
        (VolumeMount("data", DATA_FOLDER), VolumeMount("data2", DATA_FOLDER), False),
        (HostPathMount("/srv/data", DATA_FOLDER), HostPathMount("/srv/data", "/x"), True),
        (HostPathMount("/srv/data", DATA_FOLDER), HostPathMount("/srv", "/x"), True),
        (HostPathMount("/srv/data", DATA_FOLDER), HostPathMount("/srv/data/docker", "/x"), True),
        (HostPathMount("/srv/data", DATA_FOLDER), HostPathMount("/srv/data2", "/x"), False),
        (AnonymousMount(DATA_FOLDER), AnonymousMount(DATA_FOLDER), False),
    ],
)
def test_storage_that_another_running_container_uses_is_left_alone(
    own: Mount, others: Mount, *, is_shared: bool
) -> None:
    engine = FakeEngine()
    found = started(engine, mount=own)
    beside(engine, others)
    refused = refusal(engine, found)
    assert (refused is not None) is is_shared
    if refused is not None:
        assert refused.hint == "docker stop other"
        engine.stop_container("other")
        assert refusal(engine, found) is None


def test_a_folder_that_another_engine_uses_is_left_alone() -> None:
    engine, podman = FakeEngine(), FakeEngine(EngineInfo("podman", "0", "fake:2"))
    found = started(engine, mount=HostPathMount("/srv/data", DATA_FOLDER))
    # Stand-ins count their containers: the first one of each has the same ID.
    beside(podman, VolumeMount("unrelated", "/x"), name="first")
    beside(podman, HostPathMount("/srv/data", "/x"))
    refused = refusal(engine, found, others=[podman])
    assert refused is not None
    assert refused.hint == "podman stop other"
    # The same name of a volume is another volume there.
    second = started(FakeEngine(), mount=VolumeMount("data", DATA_FOLDER))
    beside(podman, VolumeMount("data", "/x"), name="third")
    assert refusal(FakeEngine(), second, others=[podman]) is None


def test_storage_in_parts_is_left_alone() -> None:
    engine = FakeEngine()
    found = started(engine)
    engine.change(found.container.id, mounts=(*found.container.mounts, VolumeMount("b", f"{DATA_FOLDER}/docker")))
    now = engine.find_container("registry")
    assert now is not None
    refused = refusal(engine, Registry(now))
    assert refused is not None
    assert f"`{DATA_FOLDER}/docker`" in refused.message


def test_only_a_cache_must_be_stopped_for() -> None:
    plain = started(FakeEngine())
    assert not must_stop(plain, settings_of({CACHE: "none"}, None))
    assert must_stop(plain, settings_of({}, None))
    # Nothing can be pushed meanwhile.
    assert not must_stop(plain, settings_of({"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}"}, None))


@pytest.mark.parametrize(
    "values",
    [{"remove_when_stopped": True}, {"mount": None}, {"mount": HostPathMount("", DATA_FOLDER)}],
    ids=["ephemeral", "no volume", "in memory"],
)
def test_one_that_must_be_stopped_and_cannot_be_is_left_alone(values: dict[str, object]) -> None:
    found = started(FakeEngine(), None, **values)
    with pytest.raises(ConflictError, match="must be stopped"):
        must_stop(found, settings_of({}, None))
    assert not must_stop(found, settings_of({CACHE: "none"}, None))


def test_a_registry_that_serves_something_else_is_left_alone(registry: FakeRegistry, tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    found = started(FakeEngine(), registry)
    check_stores_here(found, FolderVolume(tree.folder))
    registry.put_image("elsewhere:1")
    with pytest.raises(ConflictError, match="elsewhere"):
        check_stores_here(found, FolderVolume(tree.folder))
    digest = tree.image("app", layers=[b"1"])
    tree.tag("app", "1", digest)
    with pytest.raises(ConflictError, match="elsewhere"):
        check_stores_here(found, FolderVolume(tree.folder))
    # One tag that is the same is enough: another may just be pushed.
    registry.tags["app"] = {"1": digest}
    registry.manifests[digest] = (OCI_MANIFEST, b"{}")
    check_stores_here(found, FolderVolume(tree.folder))


@pytest.mark.parametrize("part", [".", "docker/registry/v2/repositories", "docker/registry/v2/blobs/sha256"])
def test_a_folder_that_can_only_be_read_is_changed_in_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    tree, engine = Tree(tmp_path), FakeEngine()
    tree.blob(b"x")
    registry = started(engine, mount=HostPathMount(str(tree.folder), DATA_FOLDER))
    assert isinstance(open_volume(engine, registry, writes=True), FolderVolume)
    closed, access = tree.folder / part, os.access
    monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) and not (path == closed and mode & os.W_OK))
    assert isinstance(open_volume(engine, registry), FolderVolume)
    assert isinstance(open_volume(engine, registry, writes=True), ExecVolume)


def test_a_registry_whose_only_tag_moves_all_the_time_is_not_taken_for_another(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    """A client pushes to it without pause."""
    tree = Tree(tmp_path)
    found = started(FakeEngine(), registry)
    digest = tree.image("app", layers=[b"1"])
    tree.tag("app", "1", digest)
    looks: list[int] = []

    class Busy(FolderVolume):
        def read_links(self, repositories: Collection[str] | None = None) -> Links:
            looks.append(1)
            if len(looks) == 4:
                registry.tags["app"] = {"1": digest}
                registry.manifests[digest] = (OCI_MANIFEST, b"{}")
            return super().read_links(repositories)

    registry.put_image("app:1")
    check_stores_here(found, Busy(tree.folder))
    assert len(looks) == 4


@pytest.mark.usefixtures("nothing_is_young")
def test_an_image_without_a_shell_gets_help_from_the_usual_one(registry: FakeRegistry, tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.blob(b"nothing names it")
    for path in tree.root.rglob("data"):
        os.utime(path, (0, 0))
    engine = FakeEngine()
    bare = engine.add_image("bare:1")
    # The fake knows images by what containers were created from: a helper is created from the ID.
    engine.shell_less |= {"bare:1", bare.id}
    engine.files[DATA_FOLDER] = tree.folder
    found = started(engine, registry, image="bare:1")
    assert len(collect(engine, found, GcOptions()).waste.blobs) == 1
    assert find_helper(engine, "registry") is None
    engine.untag_image(IMAGE)
    with pytest.raises(EngineError) as failed:
        collect(engine, found, GcOptions())
    assert failed.value.hint == f"docker pull {DEFAULT_IMAGE}"
    assert [container.name for container in engine.list_containers()] == ["registry"]
