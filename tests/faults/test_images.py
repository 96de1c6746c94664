"""Images that are not there, and names that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from beds import Bed, Distribution
from fault_table import Fault, fault


@fault("no reference at all", "push app:1:2", code=2, says="in `app:1:2`")
@fault(
    "upper case in a repository's name",
    "pull team/App:1",
    code=2,
    says="`team/App` in `team/App:1` has upper-case letters",
)
def test_what_is_no_reference(either: Bed, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        shown.by(either)


@pytest.fixture
def up(either: Bed, folder: Path) -> Bed:
    either.add_image("localhost/app:1", folder)
    either.ok("up")
    return either


@fault("a digest is pushed without a name", "push {image}", code=2, says="names a digest, not a tag")
def test_a_digest_without_a_name(up: Bed, shown: Fault) -> None:
    image = f"localhost/app@sha256:{'0' * 64}"
    assert "--as app:TAG" in shown.by(up, image=image)


@fault("an image is pushed by its ID without a name", "push {id}", code=2, says="is an image ID and says no name")
def test_an_id_without_a_name(up: Bed, shown: Fault) -> None:
    image = up.engine_ok("image", "inspect", "--format", "{{.Id}}", "localhost/app:1").strip()
    assert f"push {image} --as NAME:TAG" in shown.by(up, id=image)


@fault("the engine does not have the image", "push nosuch:1", code=4, says="{engine} has no image `nosuch:1`")
def test_an_image_that_the_engine_does_not_have(up: Bed, shown: Fault) -> None:
    shown.by(up, engine=up.program.capitalize())


@fault("the registry does not have the image", "pull nosuch:1", code=4, says="the registry has no `nosuch:1`")
def test_an_image_that_the_registry_does_not_have(up: Bed, shown: Fault) -> None:
    shown.by(up)


@fault("the registry's own image is not upstream", "up --image {image}", code=4, says="cannot pull `{image}`")
def test_an_image_that_is_not_upstream(either: Bed, distribution: Distribution, shown: Fault) -> None:
    shown.by(either, image=f"{distribution.location}/mirror/nosuch:1")


@fault(
    "what the registry's own image is pulled from cannot be reached",
    "up --image example.com/registry:2",
    code=6,
    says="example.com cannot be reached for",
)
def test_an_upstream_that_cannot_be_reached(either: Bed, shown: Fault) -> None:
    shown.by(either)
    assert not either.exists("volume", "localreg-registry")
