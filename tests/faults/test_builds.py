"""Builds: what is not there to be built, or to build with, and steps that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from beds import Bed
from builders import builder_path, write_dockerfile, write_step
from fault_table import Fault, fault


@pytest.fixture
def site(folder: Path) -> Path:
    place = folder / "site"
    place.mkdir()
    write_dockerfile(place)
    return place


@fault("the folder to build is not there", "build nosuch", code=2, says="cannot build `nosuch`: no such file")
@fault("the folder to build is named by an empty variable", "build ''", code=2, says="the folder to build has no name")
@fault("what is to be built is a file", "build site/Dockerfile", code=2, says="`site/Dockerfile` is no folder")
@fault("the Dockerfile that is named is not there", "build site -f nosuch", code=2, says="there is no file `nosuch`")
@fault("the folder's name cannot be that of an image", "build ü", code=2, says="the folder's name, `ü`, cannot be")
@fault("a build for several platforms", "build --platform linux/amd64,linux/arm64", code=2, says="several platforms")
@fault(
    "the same, with the option given twice",
    "build --platform linux/amd64 --platform linux/arm64",
    code=2,
    says="several platforms",
)
@fault("a build from stdin without a name", "build -", code=2, says="does not say what the image is to be called")
@fault("a build without a registry", "build site", code=4, says="there is no registry `registry`")
def test_what_cannot_be_built(either: Bed, folder: Path, site: Path, faults: tuple[Fault, ...]) -> None:
    (folder / "ü").mkdir()
    for shown in faults:
        shown.by(either, cwd=site.parent)


@fault(
    "the folder to build may not be read",
    "build site",
    code=2,
    says="cannot build `site`: permission denied",
    kept="podman-rootless",
)
def test_a_folder_that_may_not_be_read(rootless: Bed, site: Path, shown: Fault) -> None:
    site.chmod(0o700)
    shown.by(rootless, cwd=site.parent)


@fault("the folder has no Dockerfile", "build site", code=2, says="there is no Dockerfile in `site`")
def test_a_folder_without_a_dockerfile(either: Bed, site: Path, shown: Fault) -> None:
    either.ok("up")
    (site / "Dockerfile").rename(site / "Dockerfile.dev")
    text = shown.by(either, env={"PATH": builder_path()}, cwd=site.parent)
    assert text.endswith(" build site --file site/Dockerfile.dev\n")


@fault("the registry does not run", "build site", code=6, says="does not run: it is exited")
def test_a_build_for_a_registry_that_is_down(either: Bed, site: Path, shown: Fault) -> None:
    either.ok("up")
    either.engine_ok("stop", "registry")
    shown.by(either, cwd=site.parent)


@fault("a step of a build fails", "build site", code=1, says="error: the build failed: `{program} build", kept=None)
def test_a_step_that_fails(either: Bed, site: Path, shown: Fault) -> None:
    either.ok("up")
    write_step(site, "exit 3")
    shown.by(either, env={"PATH": builder_path()}, cwd=site.parent, program=either.program)


@pytest.fixture
def without_builder(docker: Bed, folder: Path) -> dict[str, str]:
    """A PATH with localreg, and of Docker what its releases since 23 are without buildx."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "localreg").symlink_to(Path(docker.environment["PATH"].split(":")[0]) / "localreg")
    program = programs / "docker"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Docker version 28.2.2, build e6534b4"\n')
    program.chmod(0o755)
    return {"PATH": str(programs)}


@fault(
    "Docker's program has no builder",
    "build site",
    code=1,
    says="cannot build without its plugin buildx, which is not installed",
)
def test_a_docker_without_buildx(docker: Bed, site: Path, without_builder: dict[str, str], shown: Fault) -> None:
    docker.ok("up")
    shown.by(docker, env=without_builder, cwd=site.parent)
