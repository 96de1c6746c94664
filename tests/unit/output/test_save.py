"""How `save` says what can read the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from localreg.output.save import render
from localreg.places.port import Named
from localreg.places.save import SavedImage

DIGEST = f"sha256:{'3e' * 32}"


def image(name: str, *, is_image: bool = True, docker: bool = False) -> SavedImage:
    repository, _, tag = name.partition(":")
    return SavedImage(Named(repository, tag or None, DIGEST), 1000, is_image, docker)


def facts(*images: SavedImage, file: str = "x.tar", parts: bool = False) -> list[str]:
    """The lines below the headline."""
    shown = render(images, [], file=Path(file), size=1, parts=parts).table(200)
    return [" ".join(line.split()) for line in shown.partition("Saved ")[2].splitlines()[1:]]


def test_an_archive_with_one_name_can_be_loaded() -> None:
    assert facts(image("app:1", docker=True)) == ["load `localreg load -i x.tar`", "podman `podman load -i x.tar`"]


def test_of_several_podman_pulls_each() -> None:
    shown = facts(*(image(f"app:{number}") for number in range(5)), image("chart:1", is_image=False))
    assert shown[1] == "podman `podman pull oci-archive:x.tar:app:0`"
    assert shown[2:] == ["`podman pull oci-archive:x.tar:app:1`", "`podman pull oci-archive:x.tar:app:2`", "and 2 more"]


@pytest.mark.parametrize(("count", "has"), [(1, "1 image has"), (2, "2 images have")])
def test_it_says_what_podman_4_does_not_find(count: int, has: str) -> None:
    shown = facts(image("app:1"), *(image(f"old:{number}", docker=True) for number in range(count)))
    assert shown[-1].startswith(f"{has} Docker's manifest type; Podman 4 needs ")
    assert "Podman 4" not in " ".join(facts(image("app:1"), image("app:2")))


def test_nothing_for_podman_is_in_a_chart() -> None:
    assert facts(image("chart:1", is_image=False)) == ["load `localreg load -i x.tar`"]


def test_a_name_with_a_space_can_be_typed() -> None:
    assert facts(image("a:1"), image("a:2"), file="my x.tar")[1] == "podman `podman pull 'oci-archive:my x.tar:a:1'`"
    assert facts(image("a:1"), file="my x.tar", parts=True) == [
        "load `localreg load -i 'my x.tar.000'`",
        "join `cat 'my x.tar'.* > FILE`",
    ]


def test_podman_cannot_be_told_a_file_with_a_colon() -> None:
    assert facts(image("a:1"), image("a:2"), file="12:30.tar") == ["load `localreg load -i 12:30.tar`"]
