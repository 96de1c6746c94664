"""Where the registry's own image comes from when the engine does not have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from beds import REGISTRY_IMAGE, Bed, Distribution


@pytest.fixture
def bare(bed: Bed) -> Bed:
    """An engine without any image of a registry, on a machine without a network."""
    bed.run(bed.program, "rmi", "-f", REGISTRY_IMAGE, "docker.io/library/registry:2.8.3")
    return bed


@pytest.fixture(autouse=True)
def _restored(bed: Bed, registry_archive: Path) -> object:
    yield
    bed.load(registry_archive)
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
    assert "(2.8.3+ds1) instead" in error
    assert bare.ok("status").splitlines()[0] == "name\tregistry"
    first = bare.engine_ok("image", "inspect", "--format", "{{.Id}}", REGISTRY_IMAGE)

    bare.ok("down")
    code, out, error = up(bare, environment)
    assert (code, out) == (0, "localhost:5000\n")
    assert "made earlier" in error
    assert bare.engine_ok("image", "inspect", "--format", "{{.Id}}", REGISTRY_IMAGE) == first


def test_without_a_program_the_failed_pull_says_what_can_be_done(bare: Bed) -> None:
    error = bare.refused(6, "up")
    assert "cannot pull `registry:2.8.3`" in error
    assert "--image-archive FILE" in error
    assert not bare.exists("volume", "localreg-registry")


def test_another_program_of_that_name_is_passed_over(bare: Bed, folder: Path) -> None:
    impostor = folder / "impostor"
    impostor.write_text("#!/bin/sh\necho registry 2.8.3\n")
    impostor.chmod(0o755)
    code, _, error = up(bare, with_program(folder, impostor, "registry"))
    assert code == 6
    assert "cannot pull" in error


def test_never_pulling_is_never_pulling(bare: Bed) -> None:
    assert "--pull never" in bare.refused(4, "up", "--pull", "never")


def test_an_archive_is_loaded_and_nothing_pulled(bare: Bed, registry_archive: Path) -> None:
    assert bare.ok("up", "--image-archive", str(registry_archive)) == "localhost:5000\n"


def test_the_image_is_pulled_from_a_registry_of_this_machine(bed: Bed, distribution: Distribution) -> None:
    name = f"{distribution.location}/mirror/registry:2.8.3"
    bed.engine_ok("tag", REGISTRY_IMAGE, name)
    options = ["--tls-verify=false"] if bed.program == "podman" else []
    bed.engine_ok("push", *options, name)
    bed.engine_ok("rmi", name)
    assert bed.ok("up", "--image", name) == "localhost:5000\n"
    bed.ok("down")
    assert bed.ok("up", "--image", name, "--pull", "always") == "localhost:5000\n"


def test_an_image_that_is_not_upstream_is_not_found(bed: Bed, distribution: Distribution) -> None:
    name = f"{distribution.location}/mirror/nosuch:1"
    assert name in bed.refused(4, "up", "--image", name)
