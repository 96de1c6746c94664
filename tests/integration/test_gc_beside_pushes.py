"""Garbage collection in a loop beside clients that push and delete without pause, on real registries."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

import pytest
from support.engines.real import REQUIRED, Bed
from support.registries.clients import BusyClient

from localreg.content import collector
from localreg.content.collector import Collector
from localreg.content.in_use import find_in_use
from localreg.registry.container import DATA_FOLDER
from localreg.registry.running import get_running_registry
from localreg.registry.volume import WritableVolume, open_volume
from localreg.registry.volume_folder import FolderVolume
from localreg.registry.volume_shell import ExecVolume

SECONDS = 8.0
GRACES = (timedelta(0), timedelta(seconds=2))


@pytest.mark.parametrize("bed", [REQUIRED[0], REQUIRED[2]], indirect=True)
@pytest.mark.parametrize("way", ["folder", "exec"])
def test_every_confirmed_tag_stays_whole(bed: Bed, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Overwritten tags are waste sooner than they would be, so that there is more to collect.
    monkeypatch.setattr(collector, "_YOUNG_SECONDS", 1)
    bed.up()
    with bed.opened() as engine:
        registry = get_running_registry(engine, "registry")
        volume: WritableVolume | None = open_volume(engine, registry)
        assert isinstance(volume, FolderVolume)
        if way == "exec":
            volume = ExecVolume(partial(engine.run_in_container, registry.container.id), DATA_FOLDER)
        clients = [BusyClient(registry.get_url(), f"team/app-{number}", seed=number) for number in range(3)]
        for client in clients:
            client.start()
        collections = moved = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            in_use = partial(find_in_use, engine, registry.container.id)
            done = Collector(volume, in_use=in_use).collect(grace=GRACES[collections % 2])
            collections += 1
            moved += len(done.waste.blobs)
        for client in clients:
            client.end()
        # What is left in quarantine is deleted as well.
        Collector(volume).collect(grace=GRACES[0])
    assert [client.failure for client in clients] == [None] * 3
    assert [client.broken() for client in clients] == [[]] * 3
    assert min(len(client.pushes) for client in clients) > 5
    assert collections > 2
    assert moved > 20
