"""Where the registry's own image comes from when the engine does not have it."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest
from support.engines.oci_archives import docker_archive
from support.engines.real import REGISTRY_IMAGE, Bed, Distribution, docker_alone, free_port, rootless_podman_alone

from localreg.oci.archive.describe import architecture


@pytest.fixture
def bare(bed: Bed) -> Bed:
    """An engine without any image of a registry, on a machine without a network."""
    bed.run(bed.program, "rmi", "-f", REGISTRY_IMAGE, "docker.io/library/registry:2.8.3")
    return bed


@pytest.fixture(autouse=True)
def _restored(bed: Bed, registry_archive: Path) -> object:
    yield
    bed.api.load(registry_archive)
    bed.engine_ok("tag", REGISTRY_IMAGE, "docker.io/library/registry:2.8.3")


def with_program(folder: Path, program: Path, name: str = "docker-registry") -> dict[str, str]:
    """An environment in which the registry's program is on PATH."""
    (folder / "bin").mkdir()
    (folder / "bin" / name).symlink_to(program)
    return {"PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}


def up(bed: Bed, environment: dict[str, str], *options: str) -> tuple[int, str, str]:
    path = f"{Path(bed.environment['PATH'].split(':')[0])}:{environment['PATH']}"
    result = bed.localreg("up", *options, env={"PATH": path})
    return result.returncode, result.stdout, result.stderr


def test_a_program_on_the_path_becomes_the_image_when_nothing_can_be_pulled(
    bare: Bed, folder: Path, registry_program: Path
) -> None:
    public = folder / "docker-registry"
    public.write_bytes(registry_program.read_bytes())
    public.chmod(0o755)
    environment = with_program(folder, public)
    code, out, error = up(bare, environment)
    assert (code, out) == (0, "localhost:5000\n"), error
    assert REGISTRY_IMAGE in error
    assert "2.8.3+ds1" in error
    assert bare.ok("status").splitlines()[0] == "name\tregistry"
    first = bare.engine_ok("image", "inspect", "--format", "{{.Id}}", REGISTRY_IMAGE)

    bare.ok("down")
    code, out, error = up(bare, environment)
    assert (code, out) == (0, "localhost:5000\n")
    assert REGISTRY_IMAGE not in error
    assert "2.8.3+ds1" not in error
    assert bare.engine_ok("image", "inspect", "--format", "{{.Id}}", REGISTRY_IMAGE) == first


def test_without_a_program_the_failed_pull_says_what_can_be_done(bare: Bed) -> None:
    error = bare.refused(6, "up")
    assert "`registry:2.8.3`" in error
    assert "--image-archive FILE" in error
    assert not bare.exists("volume", "localreg-registry")


@docker_alone
def test_another_program_of_that_name_is_passed_over(bare: Bed, folder: Path) -> None:
    impostor = folder / "impostor"
    impostor.write_text("#!/bin/sh\necho registry 2.8.3\n")
    impostor.chmod(0o755)
    code, _, error = up(bare, with_program(folder, impostor, "registry"))
    assert code == 6
    assert "`registry:2.8.3`" in error


@docker_alone
def test_never_pulling_is_never_pulling(bare: Bed) -> None:
    assert "--pull never" in bare.refused(4, "up", "--pull", "never")


def test_an_archive_is_loaded_and_nothing_pulled(bare: Bed, registry_archive: Path) -> None:
    assert bare.ok("up", "--image-archive", str(registry_archive)) == "localhost:5000\n"


def packed(form: str, source: Path, folder: Path) -> Path:
    """The image of a docker-archive in another form."""
    target = folder / form
    if form.startswith("docker-archive"):
        target.write_bytes(gzip.compress(source.read_bytes(), 1))
        return target
    plain = folder / "oci.tar"
    name = ":example.com/team/registry:9" if "named" in form else ""
    copy = ["skopeo", "copy", "--quiet", "--insecure-policy", f"docker-archive:{source}"]
    subprocess.run([*copy, f"oci-archive:{plain}{name}"], check=True)
    if "platforms" in form:
        _add_platform(plain, folder / "layout")
    target.write_bytes(gzip.compress(plain.read_bytes(), 1) if form.endswith("gz") else plain.read_bytes())
    return target


def _add_platform(archive: Path, layout: Path) -> None:
    """Name the archive's image a second time, for a platform that it is not for."""
    layout.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", layout], check=True)
    index = json.loads((layout / "index.json").read_text())
    (image,) = index["manifests"]
    index["manifests"] = [
        {**image, "platform": {"os": "linux", "architecture": name}} for name in ("s390x", architecture())
    ]
    (layout / "index.json").write_text(json.dumps(index))
    subprocess.run(["tar", "-cf", archive, "-C", layout, "."], check=True)


@pytest.mark.parametrize(
    ("bed", "form"),
    [
        ("docker", "docker-archive.tar.gz"),
        ("docker", "oci-unnamed.tar"),
        ("docker", "oci-named.tar"),
        ("docker", "oci-named.tar.gz"),
        ("docker", "oci-platforms-named.tar"),
        # Which archives are converted is the same for every engine; Podman loads the rest itself.
        ("podman-rootless", "docker-archive.tar.gz"),
        ("podman-rootless", "oci-unnamed.tar"),
        ("podman-rootless", "oci-platforms-named.tar"),
    ],
    indirect=["bed"],
)
def test_every_form_of_archive_becomes_a_registry(bare: Bed, folder: Path, registry_archive: Path, form: str) -> None:
    archive = packed(form, registry_archive, folder)
    assert bare.ok("up", "--image-archive", str(archive)) == "localhost:5000\n"
    assert bare.ok("ls") == ""
    if "named" in form and "unnamed" not in form:
        assert "example.com/team/registry:9" in bare.images()
    bare.ok("down")


@docker_alone
def test_the_image_of_an_archive_is_used_again_when_the_container_is_replaced(
    bare: Bed, folder: Path, registry_archive: Path
) -> None:
    archive = packed("oci-named.tar", registry_archive, folder)
    bare.ok("up", "--image-archive", str(archive))
    archive.unlink()
    assert bare.ok("up", "--recreate", "--port", str(free_port())).startswith("localhost:")
    assert json.loads(bare.ok("status", "--json"))["registry"]["image"] == "example.com/team/registry:9"


@rootless_podman_alone
def test_an_archive_of_several_images_is_refused_before_it_is_loaded(bare: Bed, folder: Path) -> None:
    before = bare.images()
    archive = docker_archive(folder / "two.tar", ["localhost/a:1"], ["localhost/b:1"])
    error = bare.refused(2, "up", "--image-archive", str(archive))
    assert "localhost/a:1" in error
    assert "localhost/b:1" in error
    assert bare.images() == before


def test_the_image_is_pulled_from_a_registry_of_this_machine(bed: Bed, distribution: Distribution) -> None:
    name = f"{distribution.location}/mirror/registry:2.8.3"
    bed.engine_ok("tag", REGISTRY_IMAGE, name)
    options = ["--tls-verify=false"] if bed.program == "podman" else []
    bed.engine_ok("push", *options, name)
    bed.engine_ok("rmi", name)
    assert bed.ok("up", "--image", name) == "localhost:5000\n"
    bed.ok("down")
    assert bed.ok("up", "--image", name, "--pull", "always") == "localhost:5000\n"
