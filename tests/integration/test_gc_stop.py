"""Garbage collection of registries that must be stopped, or that have no shell, on real engines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3
from support.engines.real import REGISTRY_IMAGE, REQUIRED, Bed, docker_alone, free_port, rootless_podman_alone
from support.registries.writer import Writer

from localreg.content import gc
from localreg.content.gc import NOW, GcOptions, collect, look, undo
from localreg.errors import NotOursError
from localreg.oci.ping import is_ready
from localreg.registry.helper import find_helper
from localreg.registry.running import get_running_registry
from localreg.registry.volume import open_folder
from localreg.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nothing_is_young")
both = pytest.mark.parametrize("bed", [REQUIRED[0], REQUIRED[2]], indirect=True)
AT_ONCE = """
import sys
from localreg.cli.app import main
from localreg.content import collector
collector._YOUNG_SECONDS = -60
sys.exit(main(["--engine", "podman", *sys.argv[1:]]))
"""
HELD = """
import sys
from localreg.cli.app import main
from localreg.content import collector
from localreg.content.collector import Collector
collect = Collector.collect
def held(self, **options):
    print("stopped", flush=True)
    sys.stdin.readline()
    return collect(self, **options)
Collector.collect = held
collector._YOUNG_SECONDS = -60
sys.exit(main(sys.argv[1:]))
"""
KILLED = """
import os, signal, sys
from localreg.cli.app import main
from localreg.content import collector
from localreg.content.collector import Collector
Collector.collect = lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL)
collector._YOUNG_SECONDS = -60
sys.exit(main(sys.argv[1:]))
"""


def start(bed: Bed, *options: str, name: str = "registry", image: str = REGISTRY_IMAGE) -> str:
    """Start a registry with a cache by hand, and put an image into it whose tag is then moved; returns its URL."""
    port = free_port()
    bed.engine_ok("run", "-d", "-p", f"127.0.0.1:{port}:5000", "--name", name, *options, image)
    url = f"http://127.0.0.1:{port}"
    assert wait_until(lambda: is_ready(url), seconds=20)
    return url


def overwrite(url: str) -> str:
    """Push two images to a tag; returns the digest of the first one's manifest."""
    writer = Writer(url)
    old = writer.image("app", "1", architecture="arm64")
    writer.image("app", "1")
    return str(old["digest"])


def status_of(url: str, path: str) -> int:
    return urllib3.request("HEAD", f"{url}/v2/{path}", headers={"Accept": "application/*"}).status


@both
@pytest.mark.parametrize("way", ["folder", "helper"])
def test_one_with_a_cache_is_stopped_collected_and_started(bed: Bed, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start(bed, "--volume=kept:/var/lib/registry")
    old = overwrite(url)
    if way == "helper":
        monkeypatch.setattr(gc, "open_folder", lambda *_, **__: None)
    options = GcOptions(NOW, force=True)
    with bed.opened() as engine, bed.acting():
        registry = get_running_registry(engine, "registry")
        assert way != "folder" or open_folder(engine, registry, registry.root_directory, writes=True)
        with pytest.raises(NotOursError):
            collect(engine, registry, GcOptions())
        assert look(engine, registry, options).stops
        done = collect(engine, registry, options)
        assert find_helper(engine, "registry") is None
        assert [container.name for container in engine.list_containers()] == ["registry"]
    assert {digest for _, digest in done.waste.manifests} == {old}
    assert 0 < done.outage < 20
    assert done.freed > 0
    # It no longer offers what it had in its cache, and takes it again.
    assert all(status_of(url, f"app/blobs/{digest}") == 404 for digest in done.waste.blobs)
    assert overwrite(url) == old


@docker_alone
def test_a_killed_collection_leaves_a_stopped_registry_that_up_starts(bed: Bed) -> None:
    url = start(bed)
    old = overwrite(url)
    killed = bed.run(sys.executable, "-c", KILLED, "--engine", bed.engine, "gc", "--force", "--yes")
    assert killed.returncode < 0
    assert not is_ready(url)
    found = json.loads(bed.localreg("status", "--json").stdout)
    assert (found["health"], found["stopped_by_gc"]) == ("stopped", True)
    assert "is stopped for garbage collection" in bed.refused(6, "ls")
    bed.ok("up")
    assert is_ready(url)
    assert not bed.exists("container", "registry.gc")
    with bed.opened() as engine:
        done = collect(engine, get_running_registry(engine, "registry"), GcOptions(force=True))
    assert {digest for _, digest in done.waste.manifests} == {old}


@rootless_podman_alone
def test_up_waits_for_a_collection_that_is_at_work(bed: Bed) -> None:
    url = start(bed, "--volume=kept:/var/lib/registry")
    overwrite(url)
    words = ["--engine", bed.engine, "gc", "--force", "--yes"]
    with bed.started(sys.executable, "-c", HELD, *words, stdin=subprocess.PIPE) as collecting:
        assert collecting.stdout is not None
        assert collecting.stdout.readline() == b"stopped\n"
        assert "another `localreg gc` is at work" in bed.refused(5, "up", "--wait", "1")
        with bed.started("localreg", "--engine", bed.engine, "up") as up:
            assert up.stderr is not None
            assert b"waiting until it is started" in up.stderr.readline()
            assert not is_ready(url)
            _, error = collecting.communicate(b"go on\n", timeout=60)
            assert collecting.returncode == 0, error
            assert up.wait(60) == 0
    assert is_ready(url)
    with bed.opened() as engine:
        assert [container.name for container in engine.list_containers()] == ["registry"]


@rootless_podman_alone
def test_one_without_a_shell_is_collected_by_a_helper_beside_it(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.up()
    monkeypatch.setattr(gc, "open_folder", lambda *_, **__: None)
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        old = overwrite(registry.get_url())
        for _ in engine.run_in_container(registry.container.id, ["rm", "/bin/sh"]):
            pass
    with bed.opened() as engine:
        done = collect(engine, registry, GcOptions(NOW))
        assert [container.name for container in engine.list_containers()] == ["registry"]
    assert {digest for _, digest in done.waste.manifests} == {old}
    assert (done.outage, done.stops, done.freed > 0) == (0, False, True)


@rootless_podman_alone
def test_files_that_the_user_may_only_read_are_moved_by_the_containers_shell(bed: Bed) -> None:
    start(bed, "--user=1000", "--volume=kept:/var/lib/registry", "--env=REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=none")
    overwrite(f"http://{bed.engine_ok('port', 'registry', '5000').strip()}")
    [folder] = json.loads(bed.engine_ok("volume", "inspect", "kept"))
    touch = bed.run("touch", f"{folder['Mountpoint']}/docker/registry/v2/blobs/x")
    assert "Permission denied" in touch.stderr
    assert bed.ok("ls").startswith("app\t1\t")
    found = json.loads(bed.run(sys.executable, "-c", AT_ONCE, "gc", "--force", "--yes", "--json").stdout)
    assert len(found["manifests"]) == 1


@docker_alone
def test_images_in_memory_are_not_lost_by_a_stop(bed: Bed) -> None:
    overwrite(start(bed, "--mount=type=tmpfs,dst=/var/lib/registry"))
    assert "its images, which are in no volume" in bed.refused(5, "gc", "--force", "--yes")
    assert bed.ok("ls").startswith("app\t1\t")


@docker_alone
def test_images_that_are_baked_into_the_registrys_image_are_collected_while_it_runs(bed: Bed) -> None:
    options = [
        f"--env=REGISTRY_STORAGE_{name}" for name in ("CACHE_BLOBDESCRIPTOR=none", "FILESYSTEM_ROOTDIRECTORY=/d")
    ]
    old = overwrite(start(bed, *options))
    bed.engine_ok("commit", "registry", "localhost/baked:1")
    bed.engine_ok("rm", "-f", "registry")
    url = start(bed, *options, image="localhost/baked:1")
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        done = collect(engine, registry, GcOptions(NOW, force=True))
    assert ({digest for _, digest in done.waste.manifests}, done.outage) == ({old}, 0)
    assert all(status_of(url, f"app/blobs/{digest}") == 404 for digest in done.waste.blobs)
    assert overwrite(url) == old


@both
@pytest.mark.parametrize("cache", ["none", "inmemory"])
def test_all_that_is_put_back_belongs_to_the_registrys_user(bed: Bed, cache: str, folder: Path) -> None:
    """Also where this process is root's: another's registry could not remove it, nor a shell in its container."""
    data = folder / "data"
    data.mkdir()
    data.chmod(0o777)
    variable = f"--env=REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR={cache}"
    overwrite(start(bed, "--user=1000", f"--volume={data}:/var/lib/registry", variable))

    def owners() -> set[tuple[int, int]]:
        return {(found.st_uid, found.st_gid) for found in map(Path.stat, data.rglob("*"))}

    before = owners()
    options = GcOptions(force=True)
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        assert collect(engine, registry, options).waste.blobs
        undo(engine, registry, options)
    assert owners() == before
