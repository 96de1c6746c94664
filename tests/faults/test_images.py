"""Missing images and invalid names."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.engines.real import Bed, Distribution, docker_alone
from support.faults.table import Fault, fault


@fault("invalid-reference", "push app:1:2", code="invalid-reference", facts=["`1:2`", "`app:1:2`"])
@fault("upper-case-name", "pull team/App:1", code="invalid-reference", facts=["`team/App:1`", "team/app:1"])
def test_invalid_references(bed: Bed, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        shown.by(bed)


@pytest.fixture
def up(bed: Bed, folder: Path) -> Bed:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    return bed


@docker_alone
@fault("push-digest", "push {image}", code="usage", facts=["`{image}`", "push {image} --as app:TAG"])
def test_a_digest_without_a_name(up: Bed, shown: Fault) -> None:
    shown.by(up, image=f"localhost/app@sha256:{'0' * 64}")


@docker_alone
@fault("push-image-id", "push {id}", code="usage", facts=["`{id}`", "push {id} --as NAME:TAG"])
def test_an_id_without_a_name(up: Bed, shown: Fault) -> None:
    image = up.engine_ok("image", "inspect", "--format", "{{.Id}}", "localhost/app:1").strip()
    shown.by(up, id=image)


@fault("image-not-in-engine", "push nosuch:1", code="image-not-found", facts=["{engine}", "`nosuch:1`"])
def test_an_image_that_the_engine_does_not_have(up: Bed, shown: Fault) -> None:
    shown.by(up, engine=up.program.capitalize())


@docker_alone
@fault("image-not-in-registry", "pull nosuch:1", code="repository-not-found", facts=["`nosuch:1`"])
def test_an_image_that_the_registry_does_not_have(up: Bed, shown: Fault) -> None:
    shown.by(up)


@fault("registry-image-not-found", "up --image {image}", code="image-not-found", facts=["`{image}`", "--image-archive"])
def test_a_registry_image_that_does_not_exist(bed: Bed, distribution: Distribution, shown: Fault) -> None:
    shown.by(bed, image=f"{distribution.location}/mirror/nosuch:1")


@docker_alone
@fault(
    "registry-image-unreachable",
    "up --image example.com/registry:2",
    code="registry-unreachable",
    facts=["`example.com/registry:2`", "--image-archive"],
)
def test_a_registry_image_that_cannot_be_reached(bed: Bed, shown: Fault) -> None:
    shown.by(bed)
    assert not bed.exists("volume", "localreg-registry")
