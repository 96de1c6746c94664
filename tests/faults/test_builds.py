"""Builds: a missing folder, Dockerfile or builder, invalid options, and steps that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.engines.builders import builder_path, write_dockerfile, write_step
from support.engines.real import Bed, docker_alone
from support.faults.table import Fault, fault

PLATFORMS = ["linux/amd64,linux/arm64", "build --platform linux/amd64\n"]


@pytest.fixture
def site(folder: Path) -> Path:
    place = folder / "site"
    place.mkdir()
    write_dockerfile(place)
    return place


@docker_alone
@fault("build-folder-missing", "build nosuch", code="usage", facts=["`nosuch`", "no such file or directory"])
@fault("build-folder-empty", "build ''", code="usage", facts=["build PATH"])
@fault("build-folder-is-a-file", "build site/Dockerfile", code="usage", facts=["--file site/Dockerfile"])
@fault("dockerfile-missing", "build site -f nosuch", code="usage", facts=["`nosuch`", "build site --file"])
@fault("folder-name-invalid", "build ü", code="usage", facts=["`ü`", "build 'ü' -t NAME"])
@fault("platforms-in-one-option", "build --platform linux/amd64,linux/arm64", code="usage", facts=PLATFORMS)
@fault("platforms-in-two-options", "build --platform linux/amd64 --platform linux/arm64", code="usage", facts=PLATFORMS)
@fault("build-stdin-without-name", "build -", code="usage", facts=["build - -t NAME"])
@fault("build-without-registry", "build site", code="container-not-found", facts=[" up\n"])
def test_builds_that_cannot_begin(bed: Bed, folder: Path, site: Path, faults: tuple[Fault, ...]) -> None:
    (folder / "ü").mkdir()
    for shown in faults:
        shown.by(bed, cwd=site.parent)


@fault(
    "build-folder-not-readable",
    "build site",
    code="usage",
    facts=["`site`", "permission denied"],
    kept="podman-rootless",
)
def test_a_folder_that_cannot_be_read(rootless: Bed, site: Path, shown: Fault) -> None:
    site.chmod(0o700)
    shown.by(rootless, cwd=site.parent)


@docker_alone
@fault("no-dockerfile", "build site", code="usage", facts=["`site`", "build site --file site/Dockerfile.dev\n"])
def test_a_folder_without_a_dockerfile(bed: Bed, site: Path, shown: Fault) -> None:
    bed.up()
    (site / "Dockerfile").rename(site / "Dockerfile.dev")
    shown.by(bed, env={"PATH": builder_path()}, cwd=site.parent)


@docker_alone
@fault("registry-stopped-build", "build site", code="registry-unreachable", facts=["`registry`", "is stopped"])
def test_a_build_while_the_registry_is_stopped(bed: Bed, site: Path, shown: Fault) -> None:
    bed.up()
    bed.engine_ok("stop", "registry")
    shown.by(bed, cwd=site.parent)


@fault("build-step-fails", "build site", code="build-failed", facts=["`{program} build"], kept=None)
def test_a_step_that_fails(bed: Bed, site: Path, shown: Fault) -> None:
    bed.up()
    write_step(site, "exit 3")
    shown.by(bed, env={"PATH": builder_path()}, cwd=site.parent, program=bed.program)


@pytest.fixture
def without_builder(docker: Bed, folder: Path) -> dict[str, str]:
    """A PATH with localreg and a Docker program that, like its releases since 23, needs buildx to build."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "localreg").symlink_to(Path(docker.environment["PATH"].split(":")[0]) / "localreg")
    program = programs / "docker"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Docker version 28.2.2, build e6534b4"\n')
    program.chmod(0o755)
    return {"PATH": str(programs)}


@fault("buildx-missing", "build site", code="builder-missing", facts=["/docker`", "docker-buildx", "buildx"])
def test_a_docker_without_buildx(docker: Bed, site: Path, without_builder: dict[str, str], shown: Fault) -> None:
    docker.up()
    shown.by(docker, env=without_builder, cwd=site.parent)
