"""The volume of a registry, read by a shell in its container as from its folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from support.engines.real import Bed, on_every_engine

from localreg.registry.container import DATA_FOLDER
from localreg.registry.running import get_running_registry
from localreg.registry.volume import open_volume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_shell import ExecVolume


@on_every_engine
def test_a_shell_in_the_container_reads_what_is_in_the_folder(bed: Bed, folder: Path) -> None:
    for name in ("localhost/app:1", "localhost/team/app:2"):
        bed.add_image(name, folder)
    bed.up()
    for name in ("localhost/app:1", "localhost/team/app:2"):
        bed.push(name)
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        here = open_volume(engine, registry)
        assert isinstance(here, FolderVolume)
        there = ExecVolume(partial(engine.run_in_container, registry.container.id), DATA_FOLDER)
        found, wanted = there.read_links(), here.read_links()
        assert (found.by_tag, found.revisions) == (wanted.by_tag, wanted.revisions)
        assert {link.repository for link in found.tags} == {"app", "team/app"}
        digests = [link.digest for link in found.tags if link.digest]
        blobs = dict(there.read_blobs(digests))
        assert blobs == dict(here.read_blobs(digests))
        assert len(blobs) == len(set(digests))
