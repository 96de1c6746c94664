"""`du` on a real registry: its numbers add up, from the folder and by a shell in the container alike."""

from __future__ import annotations

import json
import urllib.request
from functools import partial
from pathlib import Path

from support.engines.real import Bed, on_every_engine

from localreg.content.du import find_usage
from localreg.registry.container import DATA_FOLDER
from localreg.registry.running import get_running_registry
from localreg.registry.volume import open_volume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_shell import ExecVolume


@on_every_engine
def test_all_bytes_of_the_volume_are_told(bed: Bed, folder: Path) -> None:
    bed.up()
    for name, content in (("app:1", "1"), ("app:2", "2"), ("app:2", "3")):
        # The second image of the last tag leaves the first one without a tag.
        bed.add_image(f"localhost/{name}", folder, content=content)
        bed.push(f"localhost/{name}")
    bed.push("localhost/app:1", name="team/app:1")
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        start = urllib.request.Request(f"{registry.get_url()}/v2/app/blobs/uploads/", method="POST")
        with urllib.request.urlopen(start) as answer:
            assert answer.status == 202
        here = open_volume(engine, registry)
        there = ExecVolume(partial(engine.run_in_container, registry.container.id), DATA_FOLDER)
        assert isinstance(here, FolderVolume)
        wanted, found = (find_usage(None, volume, by_tag=True) for volume in (here, there))
        assert (found.rows, found.shared) == (wanted.rows, wanted.shared)
        assert sorted(f"{row.repository}:{row.tag}" for row in found.rows) == ["app:1", "app:2", "team/app:1"]
        shared = {f"{row.repository}:{row.tag}": row.shared for row in found.rows}
        assert shared == {"app:1": found.shared, "team/app:1": found.shared, "app:2": 0}
        assert here.disk_usage() == there.disk_usage()
    shown = json.loads(bed.ok("du", "--json"))
    assert [row["repository"] for row in shown["rows"]] == ["app", "team/app"]
    parts = shown["storage"]
    assert (parts["untagged"]["count"], parts["unreferenced"]["count"], parts["uploads"]["count"]) == (1, 0, 1)
    assert sum(row["unique"] for row in shown["rows"]) + shown["sum"]["shared"] == parts["tagged"]
    waste = sum(parts[name]["size"] for name in ("untagged", "unreferenced", "quarantine", "uploads"))
    assert parts["tagged"] + waste + parts["overhead"] == parts["disk"] == here.disk_usage()
    # All that is not counted otherwise is small files and folders.
    assert 0 < parts["overhead"] < 1_000_000
