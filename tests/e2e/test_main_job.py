"""The main job as a stranger does it, on every engine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.engines.images import write_image
from support.engines.real import Bed, docker_alone, free_port, on_each_podman, on_every_engine, rootless_podman_alone

from localreg.engines.discovery.probe import Answer
from localreg.engines.discovery.select import open_engine
from localreg.engines.values import Endpoint
from localreg.system.waiting import wait_until


@on_every_engine
def test_a_registry_is_started_filled_listed_emptied_into_the_engine_and_removed(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/ansible-playbook:latest" if bed.program == "podman" else "ansible-playbook:latest", folder)

    assert bed.ok("up") == "localhost:5000\n"
    pushed = bed.ok("push", "ansible-playbook:latest").strip()
    assert pushed.startswith("localhost:5000/ansible-playbook:latest@sha256:")

    repository, tag, digest, platforms, size, created, pushed_at = bed.ok("ls").rstrip("\n").split("\t")
    assert (repository, tag, platforms, created) == (
        "ansible-playbook",
        "latest",
        "linux/amd64",
        "2026-01-01T00:00:00+00:00",
    )
    assert pushed.endswith(digest)
    assert int(size) > 1000
    assert abs(datetime.now(UTC) - datetime.fromisoformat(pushed_at)) < timedelta(minutes=5)
    assert bed.ok("ls", "-q") == "localhost:5000/ansible-playbook:latest\n"

    bed.engine_ok("rmi", "-f", "localhost:5000/ansible-playbook:latest", "ansible-playbook:latest")
    assert bed.ok("pull", "ansible-playbook:latest").strip() == pushed
    assert "localhost:5000/ansible-playbook:latest" in bed.images()

    assert "GET /v2/ansible-playbook/manifests/latest" in bed.ok("logs")
    assert bed.ok("down", "--volumes") == "container registry\nvolume localreg-registry\n"
    assert not bed.exists("container", "registry")
    assert not bed.exists("volume", "localreg-registry")


@on_every_engine
def test_images_survive_down_and_up(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.ok("up")
    bed.ok("push", "localhost/app:1")
    bed.ok("down")
    assert bed.exists("volume", "localreg-registry")
    bed.ok("up")
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"


@docker_alone
def test_every_command_may_be_given_twice(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    assert bed.ok("up") == bed.ok("up")
    assert bed.ok("push", "localhost/app:1") == bed.ok("push", "localhost/app:1")
    assert bed.ok("pull", "app:1") == bed.ok("pull", "app:1")
    assert bed.ok("down", "--volumes") == "container registry\nvolume localreg-registry\n"
    assert bed.ok("down", "--volumes") == ""


@on_every_engine
def test_only_this_machine_reaches_the_registry(bed: Bed) -> None:
    bed.ok("up")
    status = json.loads(bed.ok("status", "--json"))
    assert status["registry"]["bound"] == "127.0.0.1:5000"
    assert status["health"] == "healthy"


@on_each_podman
def test_a_manifest_list_is_pushed_whole(podman: Bed, folder: Path) -> None:
    for architecture in ("amd64", "arm64"):
        name = f"localhost/part:{architecture}"
        write_image(folder / "image.tar", name, {"for": architecture}, architecture=architecture)
        podman.api.load(folder / "image.tar")
    parts = ["containers-storage:localhost/part:amd64", "containers-storage:localhost/part:arm64"]
    podman.engine_ok("manifest", "create", "localhost/all:1", *parts)
    podman.engine_ok("manifest", "create", "localhost/elsewhere:1", parts[1])
    podman.up()
    try:
        for name, platforms in ("all", "linux/amd64,linux/arm64"), ("elsewhere", "linux/arm64"):
            pushed = podman.ok("push", f"{name}:1")
            fields = podman.ok("ls", name).rstrip("\n").split("\t")
            assert fields[3] == platforms
            assert pushed == f"localhost:5000/{name}:1@{fields[2]}\n"
        before = podman.images()
        with open_engine(Answer("podman", Endpoint(f"unix://{podman.api.socket}"), (), has_volume=False)) as engine:
            engine.untag_image("localhost:5000/all:1")
        assert before - podman.images() == {"localhost:5000/all:1"}
    finally:
        podman.run("podman", "manifest", "rm", "localhost/all:1", "localhost/elsewhere:1")


@rootless_podman_alone
def test_deleting_is_enabled_in_the_registry(bed: Bed) -> None:
    bed.ok("up")
    request = urllib.request.Request("http://127.0.0.1:5000/v2/none/manifests/sha256:" + "0" * 64, method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert answer.code == 404


@docker_alone
def test_several_images_are_pushed_although_one_fails(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.add_image("localhost/app:2", folder)
    bed.up()
    result = bed.localreg("push", "localhost/app:1", "nosuch:1", "localhost/app:2", "--json")
    assert result.returncode == 4
    found = json.loads(result.stdout)
    assert [entry["reference"] for entry in found["results"]] == ["localhost:5000/app:1", "localhost:5000/app:2"]
    assert [(entry["source"], entry["code"]) for entry in found["errors"]] == [("nosuch:1", "image-not-found")]


@rootless_podman_alone
def test_what_is_not_there_is_named_and_the_rest_is_listed(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    result = bed.localreg("ls", "-q", "nosuch", "app", "app:2")
    assert (result.returncode, result.stdout) == (4, "localhost:5000/app:1\n")
    first, second = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    assert "`nosuch`" in first
    assert "`app:2`" in second


@rootless_podman_alone
def test_an_image_is_renamed_on_its_way(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    assert bed.ok("push", "localhost/app:1", "--as", "team/api:2").startswith("localhost:5000/team/api:2@sha256:")
    bed.ok("pull", "team/api:2", "--as", "localhost/mine:3")
    assert "localhost/mine:3" in bed.images()
    image_id = bed.engine_ok("image", "inspect", "--format", "{{.Id}}", "localhost/app:1").strip()
    assert "--as NAME:TAG" in bed.refused(2, "push", image_id)
    bed.ok("push", image_id, "--as", "by-id")
    assert "by-id:latest" in bed.ok("ls", "-q")


def test_a_push_that_fails_leaves_the_names_in_the_engine_as_they_were(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.engine_ok("tag", "localhost/app:1", "localhost/registry:1")
    bed.engine_ok("run", "-d", "-p", "127.0.0.1:5000:5000", "--name", "registry", "localhost/registry:1")
    before = bed.images()
    result = bed.localreg("push", "localhost/app:1")
    assert result.returncode in (1, 6)
    assert bed.images() == before


@rootless_podman_alone
def test_a_tag_is_given_without_pushing(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    assert bed.ok("tag", "localhost/app:1") == "localhost:5000/app:1\n"
    assert "localhost:5000/app:1" in bed.images()
    assert bed.ok("ls") == ""


@docker_alone
def test_a_second_registry_has_its_own_name_port_and_volume(bed: Bed) -> None:
    port = free_port()
    bed.ok("up")
    assert bed.ok("--name", "other", "up", "--port", str(port)) == f"localhost:{port}\n"
    assert bed.exists("volume", "localreg-other")
    names = [entry["name"] for entry in json.loads(bed.ok("status", "--all", "--json"))["registries"]]
    assert sorted(names) == ["other", "registry"]
    bed.ok("down", "--name", "other", "--volumes")
    assert bed.ok("status", "-q") == "healthy\n"


@docker_alone
def test_an_ephemeral_registry_leaves_nothing(bed: Bed) -> None:
    bed.ok("up", "--ephemeral")
    assert bed.ok("down") == "container registry\n"
    # Podman removes it by itself as well, and whoever comes second does not wait for the first.
    assert wait_until(lambda: bed.engine_ok("volume", "ls", "-q") == "", seconds=20)


@on_every_engine
def test_a_folder_keeps_the_images_and_is_never_removed(bed: Bed, folder: Path) -> None:
    data = bed.home / "images"
    bed.run("mkdir", "-p", str(data))
    bed.add_image("localhost/app:1", folder)
    bed.ok("up", "--volume", str(data))
    bed.ok("push", "localhost/app:1")
    assert bed.ok("down", "--volumes") == "container registry\n"
    assert (data / "docker/registry/v2/repositories/app").is_dir()
    bed.engine_ok("run", "--rm", "-v", f"{data}:/data", "localhost/app:1", "/bin/busybox", "rm", "-rf", "/data/docker")
