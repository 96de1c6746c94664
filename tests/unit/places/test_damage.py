"""Damage anywhere in an archive is an error of localreg's, or nothing that is read."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.foreign_archives import IMAGE, Image, LayoutFiles, crane_tarball, docker_save, layer, tar_of

from localreg.errors import LocalregError
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.load import check
from localreg.places.opened import opened_source
from localreg.places.port import Unwatched
from localreg.places.sparse import narrow


def _layout() -> bytes:
    files = LayoutFiles()
    images = [files.image(), files.image(Image((layer("arm"),), "arm64"))]
    return tar_of(files.add(files.index(*images, files.attestation(images[0])), ref="app:1").all)


ARCHIVES = (
    _layout(),
    tar_of(docker_save({IMAGE: ["app:1"]})),
    tar_of(crane_tarball({IMAGE: ["app:1"]})),
    gzip.compress(_layout(), mtime=0),
)


def checked(path: Path) -> None:
    """Read all of an archive."""
    with opened_source(path) as source:
        wanted, _, _ = narrow(source, find_entries(source, str(path)))
        content, _ = read_content(source, wanted)
        check(source, content, watcher=Unwatched())


def test_these_are_whole(tmp_path: Path) -> None:
    for data in ARCHIVES:
        (tmp_path / "x").write_bytes(data)
        checked(tmp_path / "x")


@settings(max_examples=60)
@given(
    data=st.sampled_from(ARCHIVES),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=600)), max_size=4),
    cut=st.floats(0, 1),
)
def test_damage_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, edits: list[tuple[float, bytes]], cut: float
) -> None:
    changed = bytearray(data)
    for where, new in edits:
        start = int(where * len(changed))
        changed[start : start + len(new)] = new
    path = tmp_path_factory.mktemp("damage") / "x"
    path.write_bytes(changed[: int(cut * len(changed)) or None])
    with contextlib.suppress(LocalregError):
        checked(path)
